// `hotswap up`: everything in one process, or with node processes of its own, until SIGTERM or Ctrl-C.
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <ostream>

#include "cli/commands.h"
#include "cli/node_processes.h"
#include "cli/node_scaling.h"
#include "cli/server_options.h"
#include "net/server.h"

namespace hotswap::cli {
namespace {

// NOLINTNEXTLINE(misc-unused-using-decls): used in a co_await expression below, where clang-tidy does not look
using asio::experimental::awaitable_operators::operator&&;

constexpr std::chrono::seconds kTokenLife{3600};
constexpr std::chrono::seconds kScalingTokenLife{366 * 24 * 3600};  // nodes join as long as this runs
constexpr std::size_t kZones = 3;                                   // of each region of node processes

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
        all.push_back(
            {{"nodeId", node.wish.node}, {"region", node.wish.region}, {"gateway", node.gateway}, {"pid", node.id}});
      }
      ready["nodes"] = std::move(all);
    }
    context.out << json::serialize(ready) << '\n' << std::flush;
    return;
  }
  std::string gateways;
  for (const auto& node : nodes) {
    gateways += fmt::format("  node     {} in {}: {}\n", node.wish.node, node.wish.region, node.gateway);
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

std::string name_of(const std::string& region_setting) { return region_setting.substr(0, region_setting.find('=')); }

std::string host_of(const net::tcp::endpoint& gateway) {
  const std::string address = gateway.address().to_string();
  return gateway.address().is_v6() ? '[' + address + ']' : address;
}

// The `number`-th node of a region, from 1 on: in the zones a, b and c in turn. With a fixed port, node processes take
// those from the gateway's on.
NodeProcesses::Wish wish_of(const UpSettings& settings, const net::tcp::endpoint& gateway, const std::string& region,
                            std::size_t number, std::size_t port_offset) {
  const std::string node = fmt::format("{}-{}", region, number);
  const auto port = gateway.port() == 0 ? std::size_t{0} : gateway.port() + port_offset;
  return {.node = node,
          .region = region,
          .zone = std::string(1, static_cast<char>('a' + (number - 1) % kZones)),
          .gateway = fmt::format("{}:{}", host_of(gateway), port),
          .data = settings.common.data / "nodes" / node};
}

// Regions in turn.
std::vector<NodeProcesses::Wish> wishes_of(const UpSettings& settings, const net::tcp::endpoint& gateway) {
  std::vector<NodeProcesses::Wish> wishes;
  for (std::size_t i = 0; i < settings.nodes; ++i) {
    const std::string region = name_of(settings.regions[i % settings.regions.size()]);
    wishes.push_back(wish_of(settings, gateway, region, i / settings.regions.size() + 1, i));
  }
  return wishes;
}

// The first number and the first port that no running node has.
NodeProcesses::Wish wish_beside(const UpSettings& settings, const net::tcp::endpoint& gateway,
                                const std::string& region, const std::vector<NodeProcesses::Running>& running) {
  const auto taken = [&](const auto& part, const std::string& value) {
    return std::ranges::any_of(running, [&](const auto& one) { return one.wish.*part == value; });
  };
  std::size_t number = 1;
  while (taken(&NodeProcesses::Wish::node, fmt::format("{}-{}", region, number))) ++number;
  std::size_t offset = 0;
  while (gateway.port() != 0 &&
         taken(&NodeProcesses::Wish::gateway, wish_of(settings, gateway, region, number, offset).gateway)) {
    ++offset;
  }
  return wish_of(settings, gateway, region, number, offset);
}

bool scales(const UpSettings& settings) { return !settings.control.scaling.max_nodes.empty(); }

// What is not stated for a region: as many as are started there at first. Stated words come later, and count.
void state_bounds(ScalingSettings& scaling, const std::vector<std::string>& regions,
                  const std::vector<NodeProcesses::Wish>& wishes) {
  std::vector<std::string> words;
  for (const auto& setting : regions) {
    const auto started = std::ranges::count(wishes, name_of(setting), &NodeProcesses::Wish::region);
    words.push_back(fmt::format("{}={}", name_of(setting), std::max<std::ptrdiff_t>(1, started)));
  }
  for (auto* bounds : {&scaling.min_nodes, &scaling.max_nodes})
    bounds->insert(bounds->begin(), words.begin(), words.end());
}

// Of words that the control plane has checked.
std::map<std::string, NodeScaling::Bounds> bounds_of(const UpSettings& settings) {
  std::map<std::string, NodeScaling::Bounds> all;
  for (const auto& region : settings.regions) all[name_of(region)] = {};
  const auto apply = [&all](const std::vector<std::string>& words, std::size_t NodeScaling::Bounds::* member) {
    for (const auto& word : words) {
      const auto equals = word.find('=');
      const auto count = std::stoul(word.substr(equals == std::string::npos ? 0 : equals + 1));
      for (auto& [region, bounds] : all) {
        if (equals == std::string::npos || region == word.substr(0, equals)) bounds.*member = count;
      }
    }
  };
  apply(settings.control.scaling.min_nodes, &NodeScaling::Bounds::minimum);
  apply(settings.control.scaling.max_nodes, &NodeScaling::Bounds::maximum);
  return all;
}

Outcome<> check_bounds(const std::map<std::string, NodeScaling::Bounds>& bounds) {
  std::size_t all = 0;
  for (const auto& [region, bound] : bounds) all += bound.maximum;
  if (all <= limits::kTryOutNodes) return {};
  return usage_failure(
      fmt::format("--max-nodes: the regions may have {} nodes together, {} are possible", all, limits::kTryOutNodes));
}

void wait_and_scale(StopSignals& signals, ControlServer& control, NodeProcesses& nodes, const UpSettings& settings,
                    const net::tcp::endpoint& gateway, std::shared_ptr<ScalingInbox> inbox) {
  const auto bounds = bounds_of(settings);
  NodeScaling scaling(control, nodes,
                      {.bounds = [&bounds](const std::string& region) { return bounds.at(region); },
                       .wish =
                           [&](const std::string& region, const std::vector<NodeProcesses::Running>& running) {
                             return wish_beside(settings, gateway, region, running);
                           }});
  const auto scale_and_keep = [](NodeScaling& scales, NodeProcesses& kept,
                                 std::shared_ptr<ScalingInbox> from) -> Task<void> {
    co_await (scales.run(std::move(from)) && kept.keep_running());
  };
  signals.wait_during(scale_and_keep(scaling, nodes, std::move(inbox)));
}

Outcome<int> run_with_processes(Context& context, UpSettings settings) {
  StopSignals signals;
  if (settings.regions.empty()) settings.regions = {settings.node.region};
  settings.control.regions = settings.regions;
  const auto gateway = net::parse_endpoint(settings.node.gateway);
  if (!gateway) return std::unexpected(failure_from(gateway.error()));
  const auto wishes = wishes_of(settings, *gateway);
  const bool scaling = scales(settings);
  if (scaling) {
    settings.control.scaling.enabled = true;
    state_bounds(settings.control.scaling, settings.regions, wishes);
  }
  const auto inbox = std::make_shared<ScalingInbox>(signals.context());
  std::function<void(const ScalingEvent&)> act;
  if (scaling) act = [inbox](const ScalingEvent& event) { ScalingInbox::post(inbox, event); };
  auto server = start_control(settings.common, settings.control, std::move(act));
  if (!server) return std::unexpected(failure_from(server.error()));
  if (scaling) HS_CHECK(check_bounds(bounds_of(settings)));
  const auto token = (*server)->join_token("hotswap up --nodes", scaling ? kScalingTokenLife : kTokenLife);
  if (!token) return std::unexpected(failure_from(token.error()));
  std::vector<std::string> more{"--instances",   std::to_string(settings.node.instances),
                                "--threads",     std::to_string(settings.common.threads),
                                "--max-modules", std::to_string(settings.node.max_modules)};
  if (settings.common.wasi03) more.emplace_back("--wasi03");
  if (!settings.node.outbound_ca.empty()) {
    more.insert(more.end(), {"--outbound-ca", std::filesystem::absolute(settings.node.outbound_ca).string()});
  }
  NodeProcesses nodes({.control = (*server)->api_url(), .join_token = *token, .more = std::move(more)});
  for (const auto& wish : wishes) {
    // One that was to go when this ended is wanted again.
    if (!scaling) break;
    if (const auto done = (*server)->enable(NodeId(wish.node)); !done)
      return std::unexpected(failure_from(done.error()));
  }
  if (const auto started = nodes.start(wishes); !started) return std::unexpected(failure_from(started.error()));
  announce(context, **server, nodes.running(), nodes.running().front().gateway, settings);
  if (scaling) {
    wait_and_scale(signals, **server, nodes, settings, *gateway, inbox);
  } else {
    signals.wait_during(nodes.keep_running());
  }
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
      "A node process that ends by itself is started again, at the same address.\n"
      "With --max-nodes, node processes are started and stopped between --min-nodes (as many as --nodes starts in the\n"
      "region) and that, as autoscaling decides.\n"
      "SIGTERM lets requests in flight end, then the program exits with 0.\n"
      "Examples:\n"
      "  hotswap up\n"
      "  hotswap up --nodes 6 --regions us-east,eu-west\n"
      "  hotswap up --nodes 2 --regions us-east,eu-west --max-nodes 3\n"
      "  hotswap up --data /var/lib/hotswap --api 0.0.0.0:8080 --gateway 0.0.0.0:80");
  on_run(*command, context, [&context, settings]() -> Outcome<int> {
    if (settings->nodes == 0 && scales(*settings)) {
      return usage_failure("--max-nodes needs --nodes: only nodes that are processes of their own can come and go",
                           "hotswap up --nodes 2 --max-nodes 4");
    }
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
