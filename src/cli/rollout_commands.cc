#include <fmt/format.h>

#include <ostream>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/deploy_command.h"
#include "cli/module_commands.h"
#include "cli/rollout_watch.h"
#include "cli/table.h"

namespace hotswap::cli {
namespace {

const std::string kIdHelp = "Deployment id, or its first characters (4 at least)";

// ---- ls

struct ListOptions {
  std::string status;
  std::string module;
  std::size_t limit = limits::kPageDefault;
  bool all = false;
};

void print_list(Context& context, const json::value& list) {
  const auto& items = items_of(list);
  if (context.settings.quiet) {
    for (const auto& deployment : items) context.out << text_of(deployment, "deploymentId") << '\n';
    return;
  }
  if (items.empty()) {
    context.out << "No deployments.\n";
    print_hint(context, "Start one: hotswap deploy NAME@VERSION");
    return;
  }
  Table table({{.title = "ID"},
               {.title = "MODULE", .shrinks = true},
               {.title = "STRATEGY"},
               {.title = "STATUS"},
               {.title = "PROGRESS", .right = true},
               {.title = "TARGETS", .shrinks = true},
               {.title = "AGE", .right = true}});
  for (const auto& deployment : items) {
    const auto nodes = joined(member(deployment, "targetNodes"));
    // The beginning of the id names a deployment well enough; `rollout show` has the whole.
    table.add({text_of(deployment, "deploymentId").substr(0, 8), text_of(deployment, "moduleId"),
               text_of(deployment, "strategy"), text_of(deployment, "status"),
               fmt::format("{}%", number_of(deployment, "progressPercent")),
               nodes.empty() ? joined(member(deployment, "targetRegions")) : nodes,
               age_of(context, deployment, "createdAt")});
  }
  context.out << table.text(table_width(context), colored(context));
  if (!member(list, "nextCursor").is_null()) print_hint(context, "\nThere are more: add --all, or --limit N");
}

void add_list(CLI::App& rollout, Context& context) {
  auto* command = rollout.add_subcommand("ls", "List deployments, newest first");
  auto options = std::make_shared<ListOptions>();
  command->add_option("--status", options->status, "Only those in this status")
      ->check(CLI::IsMember(member_names<DeploymentStatus>()))
      ->type_name("STATUS");
  command->add_option("--module", options->module, "Only those of this module")->type_name("NAME");
  auto* limit = command->add_option("--limit", options->limit, "How many at most (default 50); not with --all");
  limit->check(CLI::Range(1, 1'000'000))->type_name("N");
  command->add_flag("--all", options->all, "Every one")->excludes(limit);
  command->footer(
      "Examples:\n  hotswap rollout ls --status InProgress\n  hotswap rollout ls --module hello --output json");
  on_run(*command, context, [&context, options]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    Query query;
    if (!options->status.empty()) query.emplace_back("status", options->status);
    if (!options->module.empty()) query.emplace_back("module", options->module);
    HS_TRY(const auto document, api->list(kDeploymentsPath, std::move(query), options->all ? 0 : options->limit));
    print_result(context, document, [&] { print_list(context, document.value); });
    return kOk;
  });
}

// ---- commands about one deployment

using OneDeployment = std::function<Outcome<int>(Api&, const std::string& id)>;

// Adds a command whose only argument is a deployment, resolved before `body` runs.
CLI::App* add_one(CLI::App& rollout, Context& context, const std::string& name, const std::string& description,
                  OneDeployment body) {
  auto* command = rollout.add_subcommand(name, description);
  auto word = std::make_shared<std::string>();
  command->add_option("ID", *word, kIdHelp)->required()->type_name("");
  command->footer(fmt::format("Examples:\n  hotswap rollout {} 3f2a91c4", name));
  on_run(*command, context, [&context, word, body = std::move(body)]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    HS_TRY(const auto id, resolve_deployment(*api, *word));
    auto code = body(*api, id);
    if (!code && code.error().status == 404) code.error().next = "hotswap rollout ls";
    return code;
  });
  return command;
}

int show(Context& context, const Document& document) {
  print_result(context, document, [&] {
    if (!context.settings.quiet) print_deployment(context, document.value);
  });
  return kOk;
}

void add_rollback(CLI::App& rollout, Context& context) {
  auto watch = std::make_shared<bool>(false);
  auto to = std::make_shared<std::string>();
  auto regions = std::make_shared<std::vector<std::string>>();
  auto* command =
      add_one(rollout, context, "rollback", "Return to the version before, or to any earlier one that is kept",
              [&context, watch, to, regions](Api& api, const std::string& id) -> Outcome<int> {
                // What happened so far is not part of the rollback that is watched.
                HS_TRY(const auto before, fetch_events(api, id));
                json::object body;
                if (!to->empty()) body["toModuleId"] = module_id_of(*to);
                if (!regions->empty()) body["regions"] = json::value_from(*regions);
                HS_TRY(const auto document,
                       api.post(path_of(kDeploymentsPath, id, "rollback"), body.empty() ? "" : json::serialize(body)));
                if (!regions->empty()) return show(context, document);
                if (!*watch) {
                  show(context, document);
                  print_hint(context, "\nFollow it: hotswap rollout watch " + id);
                  return kOk;
                }
                return follow_rollout(context, api, id, last_sequence(before.value), DeploymentStatus::RolledBack);
              });
  auto* version =
      command->add_option("--to", *to, "Earlier version, as NAME@VERSION or as a module id")->type_name("MODULE");
  auto* follow = command->add_flag("--watch", *watch, "Follow it to its end");
  add_repeated(*command, "--region", *regions, "Only this region returns; may be given several times", "NAME")
      ->excludes(version)
      ->excludes(follow);
  command->footer(
      "Examples:\n  hotswap rollout rollback 3f2a91c4\n  hotswap rollout rollback 3f2a91c4 --to hello@1.0.0 --watch\n"
      "  hotswap rollout rollback 3f2a91c4 --region us-east");
}

// A verb that takes nothing but the deployment.
void add_verb(CLI::App& rollout, Context& context, const std::string& name, const std::string& description) {
  add_one(rollout, context, name, description, [&context, name](Api& api, const std::string& id) -> Outcome<int> {
    HS_TRY(const auto document, api.post(path_of(kDeploymentsPath, id, name)));
    return show(context, document);
  });
}

void add_promote(CLI::App& rollout, Context& context) {
  auto full = std::make_shared<bool>(false);
  auto* command =
      add_one(rollout, context, "promote", "End the hold that it is in: on to the next stage",
              [&context, full](Api& api, const std::string& id) -> Outcome<int> {
                if (*full) {
                  HS_TRY(const auto all, api.post(path_of(kDeploymentsPath, id, "promote-full")));
                  return show(context, all);
                }
                // With the step that was seen, so that a repetition does not end the next hold too.
                HS_TRY(const auto seen, api.get(path_of(kDeploymentsPath, id)));
                const json::object body{{"step", number_of(seen.value, "step")}};
                HS_TRY(const auto document, api.post(path_of(kDeploymentsPath, id, "promote"), json::serialize(body)));
                return show(context, document);
              });
  command->add_flag("--full", *full, "End every hold to come too");
  command->footer("Examples:\n  hotswap rollout promote 3f2a91c4\n  hotswap rollout promote 3f2a91c4 --full");
}

void add_abort(CLI::App& rollout, Context& context) {
  auto gradually = std::make_shared<bool>(false);
  auto now = std::make_shared<bool>(false);
  auto* command =
      add_one(rollout, context, "abort", "Stop a deployment and return to the version before",
              [&context, gradually, now](Api& api, const std::string& id) -> Outcome<int> {
                json::object body;
                if (*gradually || *now) body["gradual"] = *gradually;
                HS_TRY(const auto document, api.post(path_of(kDeploymentsPath, id, "abort"), json::serialize(body)));
                return show(context, document);
              });
  auto* stage_by_stage = command->add_flag("--gradually", *gradually, "Go back stage by stage");
  command->add_flag("--now", *now, "Go back at once, whatever the strategy says")->excludes(stage_by_stage);
  command->footer("Examples:\n  hotswap rollout abort 3f2a91c4\n  hotswap rollout abort 3f2a91c4 --gradually");
}

int print_events(Context& context, const Document& events) {
  print_result(context, events, [&] {
    for (const auto& event : items_of(events.value)) context.out << event_line(event) << '\n';
  });
  return kOk;
}

}  // namespace

void add_rollout_commands(CLI::App& root, Context& context) {
  auto* rollout = root.add_subcommand("rollout", "Follow deployments, push them on, stop them, take them back");
  rollout->require_subcommand(1);
  rollout->footer(
      "Examples:\n  hotswap rollout ls\n  hotswap rollout watch 3f2a91c4\n"
      "  hotswap rollout rollback 3f2a91c4 --watch\n\n'hotswap rollout COMMAND --help' explains each command.");
  add_list(*rollout, context);
  add_one(*rollout, context, "show", "Show one deployment",
          [&context](Api& api, const std::string& id) -> Outcome<int> {
            HS_TRY(const auto document, api.get(path_of(kDeploymentsPath, id)));
            return show(context, document);
          });
  add_one(*rollout, context, "watch", "Follow a deployment to its end; exit code 5 where it fails or is rolled back",
          [&context](Api& api, const std::string& id) {
            return follow_rollout(context, api, id, 0, DeploymentStatus::Completed);
          });
  add_one(*rollout, context, "events", "Print what happened so far",
          [&context](Api& api, const std::string& id) -> Outcome<int> {
            HS_TRY(const auto events, fetch_events(api, id));
            return print_events(context, events);
          });
  add_one(*rollout, context, "approve", "Approve a deployment to production, or one that breaks callers (Admin)",
          [&context](Api& api, const std::string& id) -> Outcome<int> {
            HS_TRY(const auto seen, api.get(path_of(kDeploymentsPath, id)));
            print_warnings(context, seen.value);
            // What is approved is what is shown here, and nothing that came since.
            const auto& breaks = member(seen.value, "breaksCallers");
            const std::string body =
                breaks.is_array() ? json::serialize(json::object{{"breaksCallers", breaks}}) : std::string();
            HS_TRY(const auto document, api.post(path_of(kDeploymentsPath, id, "approve"), body));
            show(context, document);
            print_hint(context, "\nStart it: hotswap rollout execute " + id);
            return kOk;
          });
  add_one(*rollout, context, "execute", "Start a deployment that was created with --no-execute",
          [&context](Api& api, const std::string& id) -> Outcome<int> {
            HS_TRY(const auto document, execute_deployment(api, id));
            print_warnings(context, document.value);
            show(context, document);
            print_hint(context, "\nFollow it: hotswap rollout watch " + id);
            return kOk;
          });
  add_promote(*rollout, context);
  add_verb(*rollout, context, "pause", "Stop where it stands, until it is resumed");
  add_verb(*rollout, context, "resume", "Go on with a paused deployment");
  add_verb(*rollout, context, "retry", "Try the failed step, or an ended deployment, once more");
  add_abort(*rollout, context);
  add_verb(*rollout, context, "cancel", "Withdraw a deployment that was not executed yet");
  add_rollback(*rollout, context);
}

}  // namespace hotswap::cli
