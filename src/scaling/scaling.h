// Whether a region needs a node more or a node less (source 002, "Auto-Scaling Triggers"). Pure: figures, what was seen
// before and the time in; a decision out.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "base/limits.h"
#include "model/scaling.h"

namespace hotswap::scaling {

// The defaults are the documents'; they give no cooldown.
struct Triggers {
  double busy_percent = 70;                     // CPU above
  std::chrono::milliseconds busy_for{300'000};  // without a pause
  double many_modules = 800;                    // versions on a node, above
  double idle_percent = 30;                     // CPU below; less than busy_percent
  std::chrono::milliseconds idle_for{900'000};  // without a pause
  std::chrono::milliseconds cooldown{300'000};  // after a decision, until the next one for the same region
};

struct Bounds {
  int minimum = 1;
  int maximum = static_cast<int>(limits::kNodesPerRegion);
};

// A region at one moment.
struct Figures {
  int nodes = 0;                  // those that take part: alive, enabled, not draining
  std::optional<double> cpu;      // percent, mean of the nodes that report; absent where none does
  std::optional<double> modules;  // versions on a node, mean; absent where one node more would hold as many
};

// What earlier looks saw. An empty one begins every window anew.
struct Memory {
  std::optional<TimePoint> busy_since;
  std::optional<TimePoint> idle_since;
  std::optional<TimePoint> decided_at;
  std::optional<TimePoint> looked_at;
  bool operator==(const Memory&) const = default;
};

struct Look {
  Memory memory;
  std::optional<ScalingEvent> decision;  // without region and sequence
};

// One look. A decision changes the count by one and begins the windows and the cooldown anew.
//
// What keeps it from flapping: windows without a pause; a window ends where nobody looked for limits::kScalingGap or no
// node reports; the cooldown; and a node is only given up where those that stay would be below the other thresholds
// with its share of the load.
[[nodiscard]] Look look(const Triggers& triggers, const Bounds& bounds, const Figures& figures, Memory memory,
                        TimePoint now);

}  // namespace hotswap::scaling
