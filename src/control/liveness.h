// Whether a node is alive, judged by its reports alone. Pure: time comes in as data.
#pragma once

#include <boost/describe.hpp>

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "base/limits.h"

namespace hotswap::control {

// Unknown: known from the store, and not heard of since the control plane started.
// Leaving: it said that it stops, and serves what still reaches it; once it is silent for long it is Unhealthy.
enum class NodeCondition { Unknown, Healthy, Suspect, Unhealthy, Leaving };
BOOST_DESCRIBE_ENUM(NodeCondition, Unknown, Healthy, Suspect, Unhealthy, Leaving)

struct LivenessSettings {
  std::chrono::milliseconds suspect_after{15'000};
  std::chrono::milliseconds unhealthy_after{30'000};
};

// Times are of the control plane's steady clock: a node's own clock is never compared with it.
class Liveness {
 public:
  explicit Liveness(SteadyPoint known_since) : known_since_(known_since) {}

  void reported(SteadyPoint now, bool good, const LivenessSettings& settings) {
    // A silence that was too long begins the count anew; the first report of all is welcome as it is.
    const bool too_late = last_ && now - *last_ >= settings.unhealthy_after;
    if (too_late || !good) {
      fell_ = true;
      good_ = 0;
    }
    if (good) ++good_;
    if (good_ >= limits::kGoodReportsToReturn) fell_ = false;
    last_ = now;
  }

  [[nodiscard]] NodeCondition condition(SteadyPoint now, const LivenessSettings& settings) const {
    const auto silence = now - last_.value_or(known_since_);
    if (silence >= settings.unhealthy_after || fell_) return NodeCondition::Unhealthy;
    if (!last_) return NodeCondition::Unknown;
    return silence >= settings.suspect_after ? NodeCondition::Suspect : NodeCondition::Healthy;
  }

 private:
  SteadyPoint known_since_;
  std::optional<SteadyPoint> last_;
  int good_ = 0;       // reports in a row
  bool fell_ = false;  // was unhealthy and is not back yet
};

}  // namespace hotswap::control
