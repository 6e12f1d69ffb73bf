// `hotswap up`: everything in one process, or with node processes of its own, until SIGTERM or Ctrl-C.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ostream>

#include "cli/commands.h"
#include "cli/node_processes.h"
#include "cli/server_options.h"
#include "net/server.h"

namespace hotswap::cli {
namespace {

constexpr std::chrono::seconds kTokenLife{3600};
constexpr std::size_t kZones = 3;  // of each region of node processes

struct UpSettings {
  CommonSettings common;
  ControlSettings control;
  NodeSettings node;
  std::size_t nodes = 0;  // processes of their own; 0 = one node in this process
  std::vector<std::string> regions;
};

void announce(Context& context, const RunningServer& server, const std::vector<NodeProcesses::Running>& nodes,
              const std::string& gateway, const UpSettings& settings) {
  if (context.settings.output == OutputFormat::json) {
    json::object ready{{"ready", true}, {"api", server.api_url()}, {"gateway", gateway}};
    if (!nodes.empty()) {
      json::array all;
      for (const auto& node : nodes) {
        all.push_back({{"nodeId", node.node}, {"region", node.region}, {"gateway", node.gateway}, {"pid", node.id}});
      }
      ready["nodes"] = std::move(all);
    }
    context.out << json::serialize(ready) << '\n' << std::flush;
    return;
  }
  std::string gateways;
  for (const auto& node : nodes) {
    gateways += fmt::format("  node     {} in {}: {}\n", node.node, node.region, node.gateway);
  }
  if (nodes.empty()) gateways = fmt::format("  gateway  {}\n", gateway);
  context.out << fmt::format(
      "HotSwap {} is serving\n"
      "  API      {}\n"
      "{}"
      "  data     {}\n\n"
      "Next, in another terminal:\n"
      "  hotswap --server {} module push FILE.wasm --name NAME --version 1.0.0\n"
      "  hotswap --server {} deploy NAME@1.0.0\n"
      "Ctrl-C ends it.\n",
      HOTSWAP_VERSION, server.api_url(), gateways, std::filesystem::absolute(settings.common.data).string(),
      server.api_url(), server.api_url());
  context.out << std::flush;
}

Outcome<int> run_here(Context& context, UpSettings settings) {
  StopSignals signals;
  settings.control.regions = {settings.node.region + "=" + settings.control.environment};
  auto server = start_all(settings.common, settings.control, settings.node);
  if (!server) return std::unexpected(failure_from(server.error()));
  announce(context, **server, {}, (*server)->gateway_url(), settings);
  signals.wait();
  stop_server(context, **server);
  return kOk;
}

// Regions in turn; within a region the zones a, b and c in turn.
std::vector<NodeProcesses::Wish> wishes_of(const UpSettings& settings, const net::tcp::endpoint& gateway) {
  std::vector<NodeProcesses::Wish> wishes;
  const std::string host =
      gateway.address().is_v6() ? '[' + gateway.address().to_string() + ']' : gateway.address().to_string();
  for (std::size_t i = 0; i < settings.nodes; ++i) {
    const std::string& word = settings.regions[i % settings.regions.size()];
    const std::string region = word.substr(0, word.find('='));
    const std::string node = fmt::format("{}-{}", region, i / settings.regions.size() + 1);
    const auto port = gateway.port() == 0 ? std::size_t{0} : gateway.port() + i;
    const std::string zone(1, static_cast<char>('a' + i / settings.regions.size() % kZones));
    wishes.push_back({.node = node,
                      .region = region,
                      .zone = zone,
                      .gateway = fmt::format("{}:{}", host, port),
                      .data = settings.common.data / "nodes" / node});
  }
  return wishes;
}

Outcome<int> run_with_processes(Context& context, UpSettings settings) {
  StopSignals signals;
  if (settings.regions.empty()) settings.regions = {settings.node.region};
  settings.control.regions = settings.regions;
  const auto gateway = net::parse_endpoint(settings.node.gateway);
  if (!gateway) return std::unexpected(failure_from(gateway.error()));
  auto server = start_control(settings.common, settings.control);
  if (!server) return std::unexpected(failure_from(server.error()));
  const auto token = (*server)->join_token("hotswap up --nodes", kTokenLife);
  if (!token) return std::unexpected(failure_from(token.error()));
  std::vector<std::string> more{"--instances",   std::to_string(settings.node.instances),
                                "--threads",     std::to_string(settings.common.threads),
                                "--max-modules", std::to_string(settings.node.max_modules)};
  if (settings.common.wasi03) more.emplace_back("--wasi03");
  NodeProcesses nodes;
  if (const auto started = nodes.start(wishes_of(settings, *gateway), (*server)->api_url(), *token, more); !started) {
    return std::unexpected(failure_from(started.error()));
  }
  announce(context, **server, nodes.running(), nodes.running().front().gateway, settings);
  signals.wait();
  nodes.stop();
  stop_server(context, **server);
  return kOk;
}

}  // namespace

void add_up_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("up", "Start a server: control plane, nodes and both front doors");
  auto settings = std::make_shared<UpSettings>();
  add_common_options(*command, settings->common);
  add_control_options(*command, settings->control);
  add_node_options(*command, settings->node);
  settings->node.node = "local";
  command->add_option("--node-id", settings->node.node, "Name of the node")->capture_default_str();
  command->add_option("--region", settings->node.region, "Region of the node")->capture_default_str();
  command->add_option("--nodes", settings->nodes, "Run this many nodes as processes of their own; 0 = one in this one")
      ->check(CLI::Range(std::size_t{0}, limits::kTryOutNodes))
      ->capture_default_str();
  command->add_option("--regions", settings->regions, "Regions of those nodes, in turn, each NAME or NAME=ENVIRONMENT")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,…");
  command->footer(
      "With --output json the first line on standard output, once it serves, is\n"
      "{\"ready\":true,\"api\":\"http://…\",\"gateway\":\"http://…\"}; with --nodes it has \"nodes\" too, each with\n"
      "nodeId, region, gateway and pid.\n"
      "SIGTERM lets requests in flight end, then the program exits with 0.\n"
      "Examples:\n"
      "  hotswap up\n"
      "  hotswap up --nodes 6 --regions us-east,eu-west\n"
      "  hotswap up --data /var/lib/hotswap --api 0.0.0.0:8080 --gateway 0.0.0.0:80");
  on_run(*command, context, [&context, settings] {
    return settings->nodes == 0 ? run_here(context, *settings) : run_with_processes(context, *settings);
  });
}

void add_control_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("control", "Start a control plane, whose nodes are other processes");
  struct Both {
    CommonSettings common;
    ControlSettings control;
  };
  auto settings = std::make_shared<Both>();
  add_common_options(*command, settings->common);
  add_control_options(*command, settings->control);
  command
      ->add_option("--regions", settings->control.regions,
                   "Regions, each NAME or NAME=ENVIRONMENT [default: " +
                       fmt::format("{}", fmt::join(predefined_regions(), ",")) + "]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,…");
  command->footer(
      "With --output json the first line on standard output, once it serves, is "
      "{\"ready\":true,\"api\":\"http://…\"}.\n"
      "Nodes join with a token: hotswap node token create\n"
      "Examples:\n"
      "  hotswap control --data /var/lib/hotswap --api 0.0.0.0:8080\n"
      "  hotswap control --regions us-east=production,eu-west=staging");
  on_run(*command, context, [&context, settings]() -> Outcome<int> {
    StopSignals signals;
    auto server = start_control(settings->common, settings->control);
    if (!server) return std::unexpected(failure_from(server.error()));
    if (context.settings.output == OutputFormat::json) {
      context.out << json::serialize(json::object{{"ready", true}, {"api", (*server)->api_url()}}) << '\n';
    } else {
      context.out << fmt::format(
          "HotSwap {} control plane\n  API      {}\n\nNext, in another terminal:\n"
          "  hotswap --server {} node token create\n"
          "  hotswap node --control {} --join-token TOKEN --region us-east\n",
          HOTSWAP_VERSION, (*server)->api_url(), (*server)->api_url(), (*server)->api_url());
    }
    context.out << std::flush;
    signals.wait();
    stop_server(context, **server);
    return kOk;
  });
}

}  // namespace hotswap::cli
