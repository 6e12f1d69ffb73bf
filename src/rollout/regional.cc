// Region after region, each by a strategy of its own; a failure takes back its region, or all of them.
#include <fmt/format.h>

#include <algorithm>

#include "rollout/strategies.h"

namespace hotswap::rollout {
namespace {

Result<std::vector<Region>> ordered(const RegionalConfig& config, const Ground& ground) {
  std::vector<FieldError> errors;
  std::vector<Region> order = config.regions;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (std::ranges::find(ground.regions, order[i]) != ground.regions.end()) continue;
    errors.push_back({fmt::format("strategyConfig.regions[{}]", i),
                      fmt::format("{} is not a target region of this deployment", order[i].str())});
  }
  if (!errors.empty()) return fail_fields(std::move(errors));
  for (const auto& region : ground.regions) {
    if (std::ranges::find(order, region) == order.end()) order.push_back(region);
  }
  return order;
}

Ground only(const Ground& ground, const Region& region) {
  Ground here{.regions = {region}, .nodes = ground.nodes, .routes = ground.routes};
  std::erase_if(here.nodes, [&](const TargetNode& node) { return node.region != region; });
  std::erase_if(here.routes, [&](const Route& route) { return route.region != region; });
  return here;
}

}  // namespace

Result<Steps> steps(const RegionalConfig& config, const Ground& ground) {
  HS_TRY(const auto order, ordered(config, ground));
  HS_TRY(const StrategyConfig inner, read_strategy(config.strategy, config.strategyConfig));
  Steps plan;
  for (const auto& region : order) {
    const Ground here = only(ground, region);
    HS_TRY(Steps steps, whole_plan(inner, here));
    if (region != order.back()) {
      std::ranges::move(hold_for(config.holdSeconds, config.progression, analysis_of(config), here, "hold"),
                        std::back_inserter(steps));
    }
    for (auto& step : steps) {
      step.regionOnly = config.rollback == RollbackScope::region;
      if (!step.stage.starts_with(region.str())) {
        step.stage = step.stage.empty() ? region.str() : fmt::format("{} {}", region.str(), step.stage);
      }
      plan.push_back(std::move(step));
    }
  }
  return plan;
}

}  // namespace hotswap::rollout
