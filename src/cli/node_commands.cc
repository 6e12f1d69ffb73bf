// `hotswap node`: runs a node; and its subcommands, which manage nodes and the tokens that they join with.
#include <fmt/format.h>

#include <ostream>

#include "cli/commands.h"
#include "cli/module_commands.h"
#include "cli/output.h"
#include "cli/server_options.h"
#include "cli/table.h"

namespace hotswap::cli {
namespace {

constexpr std::string_view kNodesPath = "/api/v1/wasm/nodes";
constexpr std::string_view kTokensPath = "/api/v1/wasm/join-tokens";
constexpr std::size_t kShortId = 8;

// ---- running one

struct RunSettings {
  CommonSettings common{.data = "hotswap-node"};
  NodeSettings node;
  Membership membership;
};

Outcome<int> run_node(Context& context, const RunSettings& settings) {
  if (settings.membership.control.empty()) {
    return usage_failure("--control is required: the URL of the control plane's API",
                         "hotswap node --control http://127.0.0.1:8080 --join-token TOKEN --region us-east");
  }
  StopSignals signals;
  auto server = start_node(settings.common, settings.node, settings.membership);
  if (!server) return std::unexpected(failure_from(server.error()));
  if (context.settings.output == OutputFormat::json) {
    context.out << json::serialize(json::object{{"ready", true}, {"gateway", (*server)->gateway_url()}}) << '\n';
  } else {
    context.out << fmt::format("HotSwap {} node\n  gateway  {}\n  control  {}\nCtrl-C ends it.\n", HOTSWAP_VERSION,
                               (*server)->gateway_url(), settings.membership.control);
  }
  context.out << std::flush;
  signals.wait();
  stop_server(context, **server);
  return kOk;
}

CLI::App* add_run(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("node", "Start a node, or manage the nodes of a control plane");
  auto settings = std::make_shared<RunSettings>();
  command->add_option("--control", settings->membership.control, "API of the control plane")->type_name("URL");
  command
      ->add_option(
          "--join-token", settings->membership.join_token,
          "What lets this machine join; not needed again once it has joined. $HOTSWAP_JOIN_TOKEN does the same")
      ->envname("HOTSWAP_JOIN_TOKEN")
      ->type_name("TOKEN");
  add_common_options(*command, settings->common);
  add_node_options(*command, settings->node);
  command->add_option("--node-id", settings->node.node, "Name of the node [default: this host's]")->type_name("NAME");
  command->add_option("--region", settings->node.region, "Region of the node")->capture_default_str();
  command
      ->add_option("--advertise", settings->node.advertise,
                   "Host by which others reach the gateway [default: the gateway's address, or this host's name]")
      ->type_name("HOST");
  command->footer(
      "With --output json the first line on standard output, once it serves, is\n"
      "{\"ready\":true,\"gateway\":\"http://…\"}. A node serves what it served last while no control plane is in "
      "sight.\n"
      "Examples:\n"
      "  hotswap node --control http://10.0.0.1:8080 --join-token hsj_… --region us-east --zone a\n"
      "  hotswap node ls\n"
      "  hotswap node drain us-east-1");
  command->require_subcommand(0, 1);
  // CLI11 runs this after the callback of a subcommand, which then is what was chosen.
  command->callback([&context, settings, command] {
    if (command->get_subcommands().empty())
      context.chosen = [&context, settings] { return run_node(context, *settings); };
  });
  return command;
}

// ---- managing them

std::string percent(const json::value& health, std::string_view name) {
  const auto& value = member(health, name);
  return value.is_number() ? fmt::format("{:.0f}%", value.to_number<double>()) : std::string();
}

void print_list(Context& context, const json::value& list) {
  const auto& items = items_of(list);
  if (context.settings.quiet) {
    for (const auto& node : items) context.out << text_of(node, "nodeId") << '\n';
    return;
  }
  if (items.empty()) {
    context.out << "No nodes.\n";
    print_hint(context, "Let one join: hotswap node token create");
    return;
  }
  Table table({{.title = "NODE", .shrinks = true},
               {.title = "REGION"},
               {.title = "ZONE"},
               {.title = "CONDITION"},
               {.title = "MODULES", .right = true},
               {.title = "CPU", .right = true},
               {.title = "MEMORY", .right = true},
               {.title = "REPORTED", .right = true}});
  for (const auto& node : items) {
    const auto& health = member(node, "health");
    const bool draining = text_of(node, "draining") == "true";
    const bool enabled = text_of(node, "isEnabled") != "false";
    table.add({text_of(node, "nodeId"), text_of(node, "region"), text_of(node, "zone"),
               text_of(node, "condition") + (draining  ? ", draining"
                                             : enabled ? ""
                                                       : ", disabled"),
               text_of(node, "versionsReady"), percent(health, "cpuUsagePercent"),
               fmt::format("{} MB", number_of(health, "memoryUsageMB")), age_of(context, node, "lastHeartbeat")});
  }
  context.out << table.text(table_width(context), colored(context));
}

void print_node(Context& context, const json::value& node) {
  const auto& health = member(node, "health");
  const auto& hardware = member(node, "hardware");
  const auto& metrics = member(node, "metrics");
  Sheet sheet;
  sheet.add("Node", text_of(node, "nodeId"));
  sheet.add("Region", text_of(node, "region"));
  sheet.add("Zone", text_of(node, "zone"));
  sheet.add("Gateway", fmt::format("{}:{}", text_of(node, "hostname"), text_of(node, "port")));
  sheet.add("Condition", text_of(node, "condition"));
  sheet.add("Enabled", text_of(node, "isEnabled"));
  sheet.add("Draining", text_of(node, "draining"));
  sheet.add("Runtime", fmt::format("{} {}, WASI {}", text_of(node, "runtime"), text_of(node, "runtimeVersion"),
                                   text_of(node, "wasiVersion")));
  sheet.add("Hardware", fmt::format("{} processors {}, {} MB, {} GB", text_of(hardware, "cpuCores"),
                                    text_of(hardware, "architecture"), text_of(hardware, "totalMemoryMB"),
                                    text_of(hardware, "totalDiskGB")));
  sheet.add("CPU", percent(health, "cpuUsagePercent"));
  sheet.add("Memory", fmt::format("{} MB", text_of(health, "memoryUsageMB")));
  sheet.add("Disk", fmt::format("{} GB", text_of(health, "diskUsageGB")));
  sheet.add("Modules", fmt::format("{} of {}", text_of(node, "versionsReady"), text_of(node, "maxModules")));
  sheet.add("Deployed", joined(member(node, "deployedModules")));
  sheet.add("Pinned", joined(member(node, "pinnedModules")));
  sheet.add("Invocations",
            fmt::format("{}, {} failed", text_of(metrics, "totalInvocations"), text_of(metrics, "failedInvocations")));
  sheet.add("Reported", age_of(context, node, "lastHeartbeat"));
  sheet.add("Started", age_of(context, node, "startedAt"));
  context.out << sheet.text(colored(context));
}

int shown(Context& context, const Document& document) {
  print_result(context, document, [&] {
    if (!context.settings.quiet) print_node(context, document.value);
  });
  return kOk;
}

Outcome<int> with_hint(Outcome<int> code, const char* next) {
  if (!code && code.error().status == 404) code.error().next = next;
  return code;
}

// A command whose first argument is a node.
CLI::App* add_one(CLI::App& node, Context& context, const std::string& name, const std::string& description,
                  std::function<Outcome<int>(Api&, const std::string& id)> body) {
  auto* command = node.add_subcommand(name, description);
  auto id = std::make_shared<std::string>();
  command->add_option("NODE", *id, "Name of the node")->required()->type_name("");
  on_run(*command, context, [&context, id, body = std::move(body)]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    return with_hint(body(*api, *id), "hotswap node ls");
  });
  return command;
}

void add_verb(CLI::App& node, Context& context, const std::string& verb, const std::string& description) {
  add_one(node, context, verb, description, [&context, verb](Api& api, const std::string& id) -> Outcome<int> {
    HS_TRY(const auto document, api.post(path_of(kNodesPath, id, verb)));
    return shown(context, document);
  })->footer(fmt::format("Examples:\n  hotswap node {} us-east-1", verb));
}

void add_pins(CLI::App& node, Context& context) {
  auto module = std::make_shared<std::string>();
  const auto add_module = [&module](CLI::App* command) {
    command->add_option("MODULE", *module, "NAME@VERSION")->required()->type_name("");
    return command;
  };
  add_module(add_one(node, context, "pin", "Let a node serve one version of a module, whatever its region routes",
                     [&context, module](Api& api, const std::string& id) -> Outcome<int> {
                       const json::object body{{"moduleId", module_id_of(*module)}};
                       HS_TRY(const auto document, api.post(path_of(kNodesPath, id, "pins"), json::serialize(body)));
                       return shown(context, document);
                     }))
      ->footer("Examples:\n  hotswap node pin us-east-1 hello@1.0.0");
  add_module(add_one(node, context, "unpin", "Let a node serve what its region routes again",
                     [&context, module](Api& api, const std::string& id) -> Outcome<int> {
                       HS_TRY(const auto document, api.remove(path_of(kNodesPath, id, "pins") + "/" +
                                                              percent_encode(module_id_of(*module))));
                       return shown(context, document);
                     }))
      ->footer("Examples:\n  hotswap node unpin us-east-1 hello@1.0.0");
}

// ---- tokens

void print_tokens(Context& context, const json::value& list) {
  const auto& items = items_of(list);
  if (items.empty()) {
    context.out << "No join tokens.\n";
    print_hint(context, "Make one: hotswap node token create");
    return;
  }
  Table table({{.title = "ID"},
               {.title = "DESCRIPTION", .shrinks = true},
               {.title = "REGION"},
               {.title = "STATE"},
               {.title = "AGE", .right = true}});
  for (const auto& token : items) {
    const bool revoked = !member(token, "revokedAt").is_null();
    const auto expires = parse_rfc3339(text_of(token, "expiresAt"));
    const bool expired = expires && *expires <= context.clock.now();
    table.add({text_of(token, "tokenId").substr(0, kShortId), text_of(token, "description"), text_of(token, "region"),
               revoked   ? "revoked"
               : expired ? "expired"
                         : "valid",
               age_of(context, token, "createdAt")});
  }
  context.out << table.text(table_width(context), colored(context));
}

Outcome<std::string> resolve_token(Api& api, const std::string& word) {
  HS_TRY(const auto document, api.get(std::string(kTokensPath)));
  std::string found;
  for (const auto& token : items_of(document.value)) {
    const std::string id = text_of(token, "tokenId");
    if (!id.starts_with(word)) continue;
    if (!found.empty()) return usage_failure(fmt::format("{} names several tokens; write more of the id", word));
    found = id;
  }
  return found.empty() ? word : found;
}

void add_token_create(CLI::App& token, Context& context) {
  auto* command = token.add_subcommand("create", "Make a token that lets machines join as nodes; shown this once");
  auto description = std::make_shared<std::string>();
  auto region = std::make_shared<std::string>();
  auto expires = std::make_shared<std::int64_t>(0);
  command->add_option("--description", *description, "What it is for")->type_name("TEXT");
  command->add_option("--region", *region, "For nodes of this region only")->type_name("NAME");
  command->add_option("--expires-in", *expires, "Seconds that it may be used; 0 = until it is revoked")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->footer("Examples:\n  hotswap node token create --region us-east --expires-in 3600");
  on_run(*command, context, [&context, description, region, expires]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    json::object body{{"description", *description}};
    if (!region->empty()) body["region"] = *region;
    if (*expires > 0) body["expiresInSeconds"] = *expires;
    HS_TRY(const auto document, api->post(std::string(kTokensPath), json::serialize(body)));
    print_result(context, document, [&] {
      context.out << text_of(document.value, "token") << '\n';
      print_hint(context, fmt::format("\nIt is shown this once. On the new machine:\n  hotswap node --control {} "
                                      "--join-token TOKEN --region REGION",
                                      context.settings.server));
    });
    return kOk;
  });
}

void add_tokens(CLI::App& node, Context& context) {
  auto* token = node.add_subcommand("token", "Manage what nodes join with");
  token->require_subcommand(1);
  add_token_create(*token, context);
  auto* list = token->add_subcommand("ls", "List join tokens");
  list->footer("Examples:\n  hotswap node token ls");
  on_run(*list, context, [&context]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    HS_TRY(const auto document, api->get(std::string(kTokensPath)));
    print_result(context, document, [&] { print_tokens(context, document.value); });
    return kOk;
  });
  auto* revoke = token->add_subcommand("revoke", "Let no further node join with a token; those that joined stay");
  auto id = std::make_shared<std::string>();
  revoke->add_option("ID", *id, "Id of the token, or its first characters")->required()->type_name("");
  revoke->footer("Examples:\n  hotswap node token revoke 3f2a91c4");
  on_run(*revoke, context, [&context, id]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    HS_TRY(const auto whole, resolve_token(*api, *id));
    auto document = api->remove(path_of(kTokensPath, whole));
    if (!document && document.error().status == 404) document.error().next = "hotswap node token ls";
    HS_CHECK(document);
    print_result(context, *document, [&] { context.out << fmt::format("Revoked {}\n", whole); });
    return kOk;
  });
}

}  // namespace

void add_node_commands(CLI::App& root, Context& context) {
  auto* node = add_run(root, context);
  auto* list = node->add_subcommand("ls", "List nodes");
  list->footer("Examples:\n  hotswap node ls");
  on_run(*list, context, [&context]() -> Outcome<int> {
    HS_TRY(const auto api, Api::open(context));
    HS_TRY(const auto document, api->get(std::string(kNodesPath)));
    print_result(context, document, [&] { print_list(context, document.value); });
    return kOk;
  });
  add_one(*node, context, "show", "Show a node", [&context](Api& api, const std::string& id) -> Outcome<int> {
    HS_TRY(const auto document, api.get(path_of(kNodesPath, id)));
    return shown(context, document);
  })->footer("Examples:\n  hotswap node show us-east-1");
  add_verb(*node, context, "drain", "Move a node's modules elsewhere and give it no new ones");
  add_verb(*node, context, "enable", "Let a node take deployments again");
  add_verb(*node, context, "disable", "Give a node no new deployments; what it has stays");
  add_pins(*node, context);
  add_one(*node, context, "rm", "Remove a node, whose credential ends with it",
          [&context](Api& api, const std::string& id) -> Outcome<int> {
            HS_CHECK(api.remove(path_of(kNodesPath, id)));
            if (!context.settings.quiet) context.out << fmt::format("Removed {}\n", id);
            return kOk;
          })
      ->footer("Examples:\n  hotswap node rm us-east-1");
  add_tokens(*node, context);
}

}  // namespace hotswap::cli
