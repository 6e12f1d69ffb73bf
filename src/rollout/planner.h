// From a deployment's wish to the steps that fulfil it. Pure: values in, values out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/deployment.h"

namespace hotswap::rollout {

// A node that may be planned for, as the fleet sees it at this moment.
struct TargetNode {
  NodeId id;
  Region region;
  bool healthy = true;  // reported lately
};

// Everything that any strategy may look at.
struct PlanInput {
  TenantId tenant;
  ModuleId module_id;
  std::string module_name;
  std::vector<Region> regions;    // in the order in which they were asked for
  std::vector<TargetNode> nodes;  // of those regions, or the ones that were named
  std::vector<Route> routes;      // of this name in those regions, as they stand
  json::value config = json::object();
};

// kInvalid for a broken configuration, with every rule that it breaks.
[[nodiscard]] Result<> check_strategy(DeploymentStrategy strategy, const json::value& config);

// As check_strategy; kUnavailable where a region has no healthy node, naming every such region.
[[nodiscard]] Result<std::vector<Step>> plan(DeploymentStrategy strategy, const PlanInput& input);

}  // namespace hotswap::rollout
