#include "rollout/planner.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "rollout/strategies.h"

namespace hotswap::rollout {
namespace {

Steps shadow_stage(const ShadowConfig& shadow, const Ground& ground) {
  Ground shadowed = ground;
  // Where nothing is routed there is nothing to copy.
  std::erase_if(shadowed.regions, [&](const Region& region) {
    return std::ranges::find(ground.routes, region, &Route::region) == ground.routes.end();
  });
  std::erase_if(shadowed.nodes, [&](const TargetNode& node) {
    return std::ranges::find(shadowed.regions, node.region) == shadowed.regions.end();
  });
  if (shadowed.regions.empty()) return {};
  const std::string stage = fmt::format("shadow {}%", shadow.percent);
  AnalysisConfig analysis{.metrics = {{.metric = MetricKind::shadowMismatch,
                                       .threshold = shadow.maxMismatchPercent,
                                       .tolerance = {},
                                       .query = {}}}};
  analysis.minimumRequests = shadow.minimumRequests;
  analysis.intervalSeconds = std::min(analysis.intervalSeconds, shadow.holdSeconds);
  Step copy{
      .kind = StepKind::Shadow, .nodes = ids_of(shadowed.nodes), .regions = shadowed.regions, .weight = shadow.percent};
  copy.shadow = shadow;
  copy.stage = stage;
  Steps steps{std::move(copy)};
  std::ranges::move(hold_for(shadow.holdSeconds, Progression::automatic, analysis, shadowed, stage),
                    std::back_inserter(steps));
  return steps;
}

}  // namespace

std::vector<NodeId> ids_of(const std::vector<TargetNode>& nodes) {
  std::vector<NodeId> ids;
  for (const auto& node : nodes) ids.push_back(node.id);
  return ids;
}

std::vector<NodeId> nodes_in(const Ground& ground, const Region& region) {
  std::vector<NodeId> ids;
  for (const auto& node : ground.nodes) {
    if (node.region == region) ids.push_back(node.id);
  }
  return ids;
}

Step shift_to(int weight, const Ground& ground, std::string stage) {
  Step step{.kind = StepKind::Shift, .nodes = ids_of(ground.nodes), .regions = ground.regions, .weight = weight};
  step.stage = std::move(stage);
  return step;
}

Steps hold_for(int seconds, Progression progression, const std::optional<AnalysisConfig>& analysis,
               const Ground& ground, std::string stage) {
  if (seconds == 0 && progression == Progression::automatic && !analysis) return {};
  Step step{.kind = StepKind::Hold, .nodes = ids_of(ground.nodes), .regions = ground.regions};
  step.seconds = seconds;
  step.gate = progression == Progression::manual ? Gate::manual : Gate::automatic;
  step.analysis = analysis;
  step.stage = std::move(stage);
  return {std::move(step)};
}

Result<Steps> whole_plan(const StrategyConfig& config, const Ground& ground) {
  Steps plan;
  // A region at a time is prepared a region at a time.
  if (!std::holds_alternative<RegionalConfig>(config)) {
    plan.push_back({.kind = StepKind::Prepare, .nodes = ids_of(ground.nodes), .regions = ground.regions});
  }
  if (const auto& shadow = common(config).shadow) {
    if (plan.empty()) {
      plan.push_back({.kind = StepKind::Prepare, .nodes = ids_of(ground.nodes), .regions = ground.regions});
    }
    std::ranges::move(shadow_stage(*shadow, ground), std::back_inserter(plan));
  }
  HS_TRY(auto own, std::visit([&](const auto& one) { return steps(one, ground); }, config));
  std::ranges::move(own, std::back_inserter(plan));
  return plan;
}

Result<> check_strategy(DeploymentStrategy strategy, const json::value& config) {
  HS_CHECK(read_strategy(strategy, config));
  return {};
}

Result<std::vector<Step>> plan(DeploymentStrategy strategy, const PlanInput& input) {
  HS_TRY(const StrategyConfig config, read_strategy(strategy, input.config));
  Ground ground{.regions = input.regions, .nodes = input.nodes, .routes = input.routes};
  std::erase_if(ground.nodes, [](const TargetNode& node) { return !node.healthy; });
  std::vector<std::string_view> empty;
  for (const auto& region : input.regions) {
    if (nodes_in(ground, region).empty()) empty.push_back(region.str());
  }
  if (!empty.empty()) {
    return fail(ErrorKind::kUnavailable,
                fmt::format("no live node in {} {}: start one there, or wait until it reports, and execute again",
                            empty.size() == 1 ? "region" : "regions", fmt::join(empty, ", ")));
  }
  return whole_plan(config, ground);
}

}  // namespace hotswap::rollout
