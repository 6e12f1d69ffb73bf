// Everything in one shift, and a watch over it where one was asked for.
#include "rollout/strategies.h"

namespace hotswap::rollout {

Result<Steps> steps(const AllAtOnceConfig& config, const Ground& ground) {
  Steps plan{shift_to(100, ground, "")};
  std::ranges::move(hold_for(config.holdSeconds, Progression::automatic, analysis_of(config), ground, "watch"),
                    std::back_inserter(plan));
  return plan;
}

}  // namespace hotswap::rollout
