// How long a call has to wait so that it has no more than its percentage of a core.
#pragma once

#include <algorithm>
#include <chrono>

namespace hotswap::wasm {

// A call earns its share of the time that passes, and may save up what one window brings: whoever waited long is not
// owed a burst for it. Belongs to one call; time comes from outside.
class CpuShare {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::nanoseconds;

  // `percent` of one core, 1–100; 100 is never delayed.
  CpuShare(int percent, Duration window, Time began)
      : share_(static_cast<double>(percent) / 100.0),
        most_(share_ * static_cast<double>(window.count())),
        credit_(most_),
        seen_(began) {}

  // At `now`, the call has used `cpu` since it began: how long it owes the thread before it may go on.
  [[nodiscard]] Duration owed(Time now, Duration cpu) {
    if (share_ >= 1.0) return Duration{0};
    const auto passed = static_cast<double>(std::chrono::duration_cast<Duration>(now - seen_).count());
    const auto used = static_cast<double>((cpu - counted_).count());
    seen_ = now;
    counted_ = cpu;
    // What was earned while it ran covers what it ran, before the rest is cut to what may be saved up.
    credit_ = std::min(most_, credit_ + share_ * passed - used);
    return Duration(static_cast<Duration::rep>(std::max(0.0, -credit_ / share_)));
  }

 private:
  double share_;
  double most_;    // nanoseconds on the core that one window brings
  double credit_;  // nanoseconds on the core; negative is debt
  Time seen_;
  Duration counted_{0};
};

}  // namespace hotswap::wasm
