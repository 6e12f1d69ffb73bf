// Stage by stage: a growing share of the traffic, or of the nodes.
#include <fmt/format.h>

#include "rollout/strategies.h"

namespace hotswap::rollout {
namespace {

// Of each region its first nodes, at least one.
std::vector<NodeId> share_of_nodes(const Ground& ground, int percent) {
  std::vector<NodeId> chosen;
  for (const auto& region : ground.regions) {
    const auto nodes = nodes_in(ground, region);
    const int count = std::max(1, NodeShare{percent, true}.of(nodes.size()));
    chosen.insert(chosen.end(), nodes.begin(), nodes.begin() + count);
  }
  return chosen;
}

}  // namespace

Result<Steps> steps(const CanaryConfig& config, const Ground& ground) {
  Steps plan;
  const auto analysis = analysis_of(config);
  for (const auto& stage : config.stages) {
    const std::string name = fmt::format("canary {}%", stage.weight);
    const bool by_nodes = config.by == CanaryBy::nodes && stage.weight < 100;
    Step shift = shift_to(by_nodes ? 100 : stage.weight, ground, name);
    if (by_nodes) shift.onNodes = share_of_nodes(ground, stage.weight);
    plan.push_back(std::move(shift));
    if (stage.weight == 100) break;
    std::ranges::move(hold_for(stage.holdSeconds.value_or(config.holdSeconds),
                               stage.progression.value_or(config.progression), analysis, ground, name),
                      std::back_inserter(plan));
  }
  return plan;
}

}  // namespace hotswap::rollout
