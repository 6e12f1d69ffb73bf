#include "rollout/planner.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace hotswap::rollout {
namespace {

std::vector<FieldError> no_configuration(const json::value& config) {
  std::vector<FieldError> errors;
  const auto* object = config.if_object();
  if (object == nullptr) {
    return {{"strategyConfig", fmt::format("must be an object, got {}", json_kind_name(config))}};
  }
  for (const auto& [name, value] : *object) {
    errors.push_back({fmt::format("strategyConfig.{}", std::string_view(name)),
                      "unknown field; the strategy AllAtOnce has no configuration"});
  }
  return errors;
}

std::vector<Step> all_at_once(const PlanInput& input) {
  std::vector<NodeId> nodes;
  for (const auto& node : input.nodes) {
    if (node.healthy) nodes.push_back(node.id);
  }
  return {{.kind = StepKind::Prepare, .nodes = nodes, .regions = {}, .weight = 100},
          {.kind = StepKind::Shift, .nodes = nodes, .regions = input.regions, .weight = 100}};
}

constexpr std::array kPlanners{
    Planner{DeploymentStrategy::AllAtOnce, &no_configuration, &all_at_once},
};

Result<const Planner*> find(DeploymentStrategy strategy) {
  const auto found = std::ranges::find(kPlanners, strategy, &Planner::strategy);
  if (found != kPlanners.end()) return &*found;
  std::vector<std::string_view> available;
  for (const auto& planner : kPlanners) available.push_back(enum_name(planner.strategy));
  auto message = fmt::format("strategy {} is not available in this version; available: {}", enum_name(strategy),
                             fmt::join(available, ", "));
  return fail(ErrorKind::kUnprocessable, message, {{"strategy", message}});
}

}  // namespace

Result<> check_strategy(DeploymentStrategy strategy, const json::value& config) {
  HS_TRY(const Planner* planner, find(strategy));
  if (auto errors = planner->check(config); !errors.empty()) return fail_fields(std::move(errors));
  return {};
}

Result<std::vector<Step>> plan(DeploymentStrategy strategy, const PlanInput& input) {
  HS_CHECK(check_strategy(strategy, input.config));
  HS_TRY(const Planner* planner, find(strategy));
  std::vector<std::string_view> empty;
  for (const auto& region : input.regions) {
    const bool covered =
        std::ranges::any_of(input.nodes, [&](const TargetNode& node) { return node.healthy && node.region == region; });
    if (!covered) empty.push_back(region.str());
  }
  if (!empty.empty()) {
    return fail(ErrorKind::kUnavailable,
                fmt::format("no live node in {} {}: start one there, or wait until it reports, and execute again",
                            empty.size() == 1 ? "region" : "regions", fmt::join(empty, ", ")));
  }
  return planner->plan(input);
}

}  // namespace hotswap::rollout
