// What the control plane decides about the number of nodes of a region (source 002, "Auto-Scaling Triggers").
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "model/route.h"

namespace hotswap {

enum class ScalingDirection { up, down };
BOOST_DESCRIBE_ENUM(ScalingDirection, up, down)

// cpuHigh: the nodes of the region were busy for long; moduleCount: they hold many versions; cpuLow: they were idle for
// long.
enum class ScalingTrigger { cpuHigh, moduleCount, cpuLow };
BOOST_DESCRIBE_ENUM(ScalingTrigger, cpuHigh, moduleCount, cpuLow)

// One decision: a row of the append-only log, and the body of a webhook. Sequences are gap-free and begin with 1.
struct ScalingEvent {
  std::int64_t sequence = 0;  // given by the store
  Region region;
  ScalingDirection direction = ScalingDirection::up;
  ScalingTrigger trigger = ScalingTrigger::cpuHigh;
  int fromNodes = 0;
  int toNodes = 0;
  double value = 0;      // what the trigger saw: percent, or versions on a node, both as the mean of the region's nodes
  double threshold = 0;  // what it was held against
  std::string reason;    // the same as a sentence
  TimePoint at;
  bool operator==(const ScalingEvent&) const = default;
};
BOOST_DESCRIBE_STRUCT(ScalingEvent, (),
                      (sequence, region, direction, trigger, fromNodes, toNodes, value, threshold, reason, at))

// A region as the triggers see it now (GET /api/v1/wasm/scaling).
struct RegionScaling {
  Region region;
  int nodes = 0;
  int minimumNodes = 0;
  int maximumNodes = 0;
  std::optional<double> cpuPercent;      // mean of the nodes that report; absent where none does
  std::optional<double> modulesPerNode;  // mean; absent where every node holds every module
  std::optional<TimePoint> busySince;
  std::optional<TimePoint> idleSince;
  std::optional<TimePoint> coolingUntil;  // no decision before
};
BOOST_DESCRIBE_STRUCT(RegionScaling, (),
                      (region, nodes, minimumNodes, maximumNodes, cpuPercent, modulesPerNode, busySince, idleSince,
                       coolingUntil))

}  // namespace hotswap
