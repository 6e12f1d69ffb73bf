#include "cli/deploy_command.h"

#include <fmt/format.h>

#include <ostream>

#include "cli/module_commands.h"
#include "cli/rollout_watch.h"

namespace hotswap::cli {
namespace {

// A person may write "shop", "/shop" or "/shop/".
std::string path_prefix(std::string path) {
  if (!path.starts_with('/')) path.insert(0, 1, '/');
  if (!path.ends_with('/')) path += '/';
  return path;
}

json::array strings(const std::vector<std::string>& words) {
  json::array array;
  for (const auto& word : words) array.emplace_back(word);
  return array;
}

std::string where_it_answers(const json::value& deployment) {
  const auto& http = member(deployment, "http");
  const auto host = text_of(http, "host");
  const auto path = text_of(http, "pathPrefix");
  return host.empty() ? path : fmt::format("{} (host {})", path, host);
}

void print_created(Context& context, const json::value& module, const json::value& deployment, bool executed) {
  const auto id = text_of(deployment, "deploymentId");
  if (context.settings.quiet) {
    context.out << id << '\n';
    return;
  }
  print_deployment(context, deployment);
  if (!text_of(module, "httpHandler").empty()) {
    context.out << fmt::format("\nAnswers on the gateway at {}\n", where_it_answers(deployment));
  }
  print_hint(context,
             executed ? "\nFollow it:    hotswap rollout watch " + id + "\nTake it back: hotswap rollout rollback " + id
                      : "\nNothing has changed yet. Start it: hotswap rollout execute " + id);
}

Outcome<int> deploy(Context& context, const DeployOptions& options) {
  HS_TRY(const auto body, deployment_body(options, context.settings.region));
  return send_deployment(context, body, {.no_execute = options.no_execute, .watch = options.watch});
}

}  // namespace

Outcome<int> send_deployment(Context& context, const json::value& body, SendOptions options) {
  HS_TRY(const auto api, Api::open(context));
  HS_TRY(const auto module, fetch_module(*api, text_of(body, "moduleId")));
  HS_TRY(auto deployment, api->post(std::string(kDeploymentsPath), json::serialize(body)));
  print_warnings(context, deployment.value);
  const auto id = text_of(deployment.value, "deploymentId");
  if (!options.no_execute) {
    HS_TRY(deployment, execute_deployment(*api, id));
  }
  if (!options.watch || options.no_execute) {
    print_result(context, deployment,
                 [&] { print_created(context, module.value, deployment.value, !options.no_execute); });
    return kOk;
  }
  print_hint(context, "Deployment " + id);
  HS_TRY(const int code, follow_rollout(context, *api, id, 0, DeploymentStatus::Completed));
  if (!text_of(module.value, "httpHandler").empty()) {
    print_hint(context, fmt::format("Answers on the gateway at {}", where_it_answers(deployment.value)));
  }
  return code;
}

Outcome<Document> execute_deployment(Api& api, const std::string& id) {
  auto document = api.post(path_of(kDeploymentsPath, id, "execute"));
  if (!document && (document.error().status == 403 || document.error().status == 409)) {
    auto& failure = document.error();
    const bool unapproved = failure.detail.contains("approv");
    failure.next = fmt::format("hotswap rollout {} {}", unapproved ? "approve" : "show", id);
  }
  return document;
}

Outcome<json::value> deployment_body(const DeployOptions& options, const std::optional<std::string>& default_region) {
  json::object body;
  body["moduleId"] = module_id_of(options.reference);
  if (!options.nodes.empty()) body["targetNodes"] = strings(options.nodes);
  if (!options.regions.empty()) {
    body["targetRegions"] = strings(options.regions);
  } else if (options.nodes.empty()) {
    body["targetRegions"] = json::array{default_region.value_or("all")};
  }
  if (!options.how.strategy.empty()) body["strategy"] = strategy_name(options.how.strategy);
  HS_TRY(auto config, strategy_config(options.how));
  if (!config.empty()) body["strategyConfig"] = std::move(config);
  if (!options.on_conflict.empty()) body["onConflict"] = options.on_conflict;
  if (!options.host.empty() || !options.path.empty()) {
    json::object http;
    if (!options.host.empty()) http["host"] = options.host;
    http["pathPrefix"] = path_prefix(options.path);
    body["http"] = std::move(http);
  }
  if (options.no_health_check) body["healthCheck"] = json::object{{"enabled", false}};
  if (!options.health_path.empty()) {
    json::object check{{"httpPath", options.health_path}};
    if (options.health_status != 0) check["httpStatus"] = options.health_status;
    body["healthCheck"] = std::move(check);
  }
  if (options.no_auto_rollback) body["autoRollbackEnabled"] = false;
  return body;
}

void add_deploy_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("deploy", "Bring a version into service, or replace the one that is");
  auto options = std::make_shared<DeployOptions>();
  command->add_option("MODULE", options->reference, kReferenceHelp)->required()->type_name("");
  add_repeated(*command, "--region", options->regions,
               "Region to deploy to (repeatable). Default: the configuration file's, else all", "REGION");
  add_repeated(*command, "--node", options->nodes, "Only this node (repeatable)", "NODE");
  add_strategy_options(*command, options->how);
  command->add_option("--on-conflict", options->on_conflict, "Where another rollout of the module is not finished")
      ->check(CLI::IsMember(member_names<OnConflict>()))
      ->type_name("WHAT");
  command->add_option("--host", options->host, "HTTP handlers: answer requests for this host")->type_name("HOST");
  command->add_option("--path", options->path, "HTTP handlers: answer below this path (default /m/NAME/)")
      ->type_name("PREFIX");
  auto* no_check =
      command->add_flag("--no-health-check", options->no_health_check, "Do not ask the module's health_check function");
  auto* health = command
                     ->add_option("--health-path", options->health_path,
                                  "HTTP handlers: ask for this path in place of the function, such as /health")
                     ->excludes(no_check)
                     ->type_name("PATH");
  command->add_option("--health-status", options->health_status, "Status that it must answer with [default: 200]")
      ->check(CLI::Range(100, 599))
      ->needs(health)
      ->type_name("STATUS");
  command->add_flag("--no-auto-rollback", options->no_auto_rollback, "Leave the traffic where it is when a step fails");
  command->add_flag("--no-execute", options->no_execute, "Create the deployment only; start it with: rollout execute");
  command->add_flag("--watch", options->watch, "Follow it to its end; exit code 5 where it fails or is rolled back");
  command->footer(R"(Examples:
  hotswap deploy hello@1.0.0
  hotswap deploy hello@1.0.1 --watch
  hotswap deploy hello@1.0.1 --strategy canary --stages 10,25,50,100 --hold 30s --watch
  hotswap deploy hello@1.0.1 --strategy blue-green --hold 5m --manual
  hotswap deploy hello@1.0.1 --strategy rolling --batch-size 25% --region eu-west
  hotswap deploy site@2.0.0 --host www.example.com --path /

With --watch and --output json, every event is one line and the finished deployment is the last.)");
  on_run(*command, context, [&context, options] { return deploy(context, *options); });
}

}  // namespace hotswap::cli
