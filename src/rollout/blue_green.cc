// Green is ready everywhere and may be tried at an address of its own; one switch; blue is kept for a time.
#include "rollout/strategies.h"

namespace hotswap::rollout {

Result<Steps> steps(const BlueGreenConfig& config, const Ground& ground) {
  Steps plan;
  if (config.preview) {
    Step preview{.kind = StepKind::Preview, .nodes = ids_of(ground.nodes), .regions = ground.regions, .weight = 0};
    preview.preview = config.preview;
    preview.stage = "preview";
    plan.push_back(std::move(preview));
  }
  // Green has no traffic yet that could be measured.
  std::ranges::move(hold_for(config.testDurationSeconds, config.progression, std::nullopt, ground, "test"),
                    std::back_inserter(plan));
  plan.push_back(shift_to(100, ground, "switch"));
  if (auto analysis = analysis_of(config)) {
    std::ranges::move(hold_for(0, Progression::automatic, analysis, ground, "watch"), std::back_inserter(plan));
  }
  if (config.keepBlue && config.keepBlueSeconds > 0) {
    Step keep{.kind = StepKind::Retire, .nodes = ids_of(ground.nodes), .regions = ground.regions};
    keep.seconds = config.keepBlueSeconds;
    keep.stage = "keep blue";
    plan.push_back(std::move(keep));
  }
  return plan;
}

}  // namespace hotswap::rollout
