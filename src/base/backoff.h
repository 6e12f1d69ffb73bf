// How long to wait before the next try: at random below a bound that doubles ("full jitter"), so that a fleet that lost
// its control plane does not come back in step.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/id.h"

namespace hotswap {

class Backoff {
 public:
  Backoff(Random& random, std::chrono::milliseconds first, std::chrono::milliseconds most)
      : random_(random), first_(first), most_(most), bound_(first) {}

  [[nodiscard]] std::chrono::milliseconds next() {
    const auto bound = bound_;
    bound_ = std::min(most_, 2 * bound_);
    return std::chrono::milliseconds(random_.next() % static_cast<std::uint64_t>(bound.count() + 1));
  }
  void reset() { bound_ = first_; }

 private:
  Random& random_;
  std::chrono::milliseconds first_;
  std::chrono::milliseconds most_;
  std::chrono::milliseconds bound_;
};

}  // namespace hotswap
