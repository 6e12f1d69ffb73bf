#include "scenario.h"

#include <fmt/format.h>

#include <array>
#include <random>
#include <string_view>
#include <utility>

namespace hotswap::sim {
namespace {

constexpr std::array<std::pair<std::string_view, bool Scenario::*>, 9> kFaults{{
    {"loss", &Scenario::loss},
    {"duplication", &Scenario::duplication},
    {"partitions", &Scenario::partitions},
    {"node-crashes", &Scenario::node_crashes},
    {"control-crashes", &Scenario::control_crashes},
    {"store-faults", &Scenario::store_faults},
    {"failing-versions", &Scenario::failing_versions},
    {"skew", &Scenario::skew},
    {"verbs", &Scenario::verbs},
}};

}  // namespace

Scenario scenario_of(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Scenario scenario{.seed = seed};
  scenario.regions = 1 + static_cast<int>(random() % 3);
  // Most fleets are small; one in twenty has up to fifty nodes.
  const int most = random() % 20 == 0 ? 50 : 8;
  scenario.nodes = scenario.regions + static_cast<int>(random() % static_cast<unsigned>(most - scenario.regions + 1));
  scenario.deployments = 1 + static_cast<int>(random() % 5);
  for (const auto& [name, fault] : kFaults) scenario.*fault = random() % 4 != 0;
  return scenario;
}

std::vector<Scenario> smaller(const Scenario& scenario) {
  std::vector<Scenario> all;
  const auto with = [&](auto change) {
    Scenario less = scenario;
    change(less);
    all.push_back(less);
  };
  if (scenario.deployments > 1) with([](Scenario& less) { --less.deployments; });
  if (scenario.nodes > scenario.regions) with([](Scenario& less) { less.nodes = less.regions; });
  if (scenario.nodes > scenario.regions) with([](Scenario& less) { --less.nodes; });
  if (scenario.regions > 1) with([](Scenario& less) { --less.regions; });
  for (const auto& [name, fault] : kFaults) {
    if (scenario.*fault) with([fault](Scenario& less) { less.*fault = false; });
  }
  return all;
}

std::string describe(const Scenario& scenario) {
  std::string text = fmt::format("seed {}: {} regions, {} nodes, {} deployments", scenario.seed, scenario.regions,
                                 scenario.nodes, scenario.deployments);
  for (const auto& [name, fault] : kFaults) {
    if (scenario.*fault) text += fmt::format(", {}", name);
  }
  return text;
}

}  // namespace hotswap::sim
