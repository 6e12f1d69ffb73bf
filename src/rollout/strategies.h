// The strategies, one file each. A strategy plans for nodes that are there and a configuration that is valid; what all
// have in common stands in plan() and in the helpers below.
#pragma once

#include "rollout/planner.h"

namespace hotswap::rollout {

// Regions, their nodes, and what is routed there now.
struct Ground {
  std::vector<Region> regions;    // in the order of the deployment
  std::vector<TargetNode> nodes;  // live ones
  std::vector<Route> routes;      // of this name, as they stand
};

using Steps = std::vector<Step>;

[[nodiscard]] Result<Steps> steps(const AllAtOnceConfig& config, const Ground& ground);
[[nodiscard]] Result<Steps> steps(const RollingConfig& config, const Ground& ground);
[[nodiscard]] Result<Steps> steps(const CanaryConfig& config, const Ground& ground);
[[nodiscard]] Result<Steps> steps(const BlueGreenConfig& config, const Ground& ground);
[[nodiscard]] Result<Steps> steps(const RegionalConfig& config, const Ground& ground);
[[nodiscard]] Result<Steps> steps(const ABTestingConfig& config, const Ground& ground);

// Prepare, the shadow stage where there is one, and then `strategy`'s own steps: what every plan is.
[[nodiscard]] Result<Steps> whole_plan(const StrategyConfig& config, const Ground& ground);

[[nodiscard]] std::vector<NodeId> ids_of(const std::vector<TargetNode>& nodes);
[[nodiscard]] std::vector<NodeId> nodes_in(const Ground& ground, const Region& region);
[[nodiscard]] Step shift_to(int weight, const Ground& ground, std::string stage);
// Nothing where there is nothing to wait for.
[[nodiscard]] Steps hold_for(int seconds, Progression progression, const std::optional<AnalysisConfig>& analysis,
                             const Ground& ground, std::string stage);

}  // namespace hotswap::rollout
