// Batch by batch within each region: more and more of its nodes route the new version, the others what was before.
#include <fmt/format.h>

#include "rollout/strategies.h"

namespace hotswap::rollout {
namespace {

void roll_region(const RollingConfig& config, const Ground& ground, const Region& region, Steps& plan) {
  const auto nodes = nodes_in(ground, region);
  const auto size = static_cast<std::size_t>(std::max(1, config.batchSize.of(nodes.size())));
  const std::size_t batches = (nodes.size() + size - 1) / size;
  for (std::size_t batch = 0; batch < batches; ++batch) {
    const auto begin = nodes.begin() + static_cast<std::ptrdiff_t>(batch * size);
    const auto end = nodes.begin() + static_cast<std::ptrdiff_t>(std::min(nodes.size(), (batch + 1) * size));
    const std::string stage = fmt::format("{} batch {} of {}", region.str(), batch + 1, batches);
    Step base{.kind = StepKind::Shift, .nodes = nodes, .regions = {region}};
    base.onFailure = config.onFailure;
    base.maxUnavailable = config.maxUnavailable.of(nodes.size());
    base.stage = stage;

    Step shift = base;
    if (end != nodes.end()) shift.onNodes.emplace(nodes.begin(), end);
    plan.push_back(std::move(shift));
    if (config.healthCheckBetweenBatches) {
      Step check = base;
      check.kind = StepKind::Check;
      check.nodes.assign(begin, end);
      plan.push_back(std::move(check));
    }
    const Ground here{.regions = {region}, .nodes = {}, .routes = {}};
    for (auto& hold : hold_for(config.batchDurationSeconds, Progression::automatic, analysis_of(config), here, stage)) {
      hold.nodes.assign(nodes.begin(), end);
      hold.onFailure = config.onFailure;
      hold.maxUnavailable = base.maxUnavailable;
      plan.push_back(std::move(hold));
    }
  }
}

}  // namespace

Result<Steps> steps(const RollingConfig& config, const Ground& ground) {
  Steps plan;
  for (const auto& region : ground.regions) roll_region(config, ground, region, plan);
  return plan;
}

}  // namespace hotswap::rollout
