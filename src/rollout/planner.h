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

// A strategy is a row of the table in planner.cc.
struct Planner {
  DeploymentStrategy strategy;
  // Every rule that a configuration breaks, with paths below "strategyConfig".
  std::vector<FieldError> (*check)(const json::value& config);
  // `input` holds a healthy node in each region and a configuration that passed check.
  std::vector<Step> (*plan)(const PlanInput& input);
};

// kUnprocessable, naming what is available, for a strategy that has no planner; kInvalid for a broken configuration.
[[nodiscard]] Result<> check_strategy(DeploymentStrategy strategy, const json::value& config);

// As check_strategy, and kUnavailable where a region has no healthy node, naming every such region.
[[nodiscard]] Result<std::vector<Step>> plan(DeploymentStrategy strategy, const PlanInput& input);

}  // namespace hotswap::rollout
