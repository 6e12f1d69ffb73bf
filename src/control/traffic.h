// What every version did, region by region, since this control plane began to listen to its nodes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/limits.h"
#include "model/desired_state.h"

namespace hotswap::control {

// One version of a route in a region, as sums over its nodes. They only grow: a rate is the difference of two looks.
struct TrafficRow {
  Region region;
  std::string name;  // of the route
  ModuleId moduleId;
  std::int64_t requests = 0;
  std::int64_t failures = 0;
  std::vector<std::int64_t> latency;  // requests by upper bound (Traffic::bounds), and one beyond the last
  double latencySeconds = 0;          // all of them together
  bool operator==(const TrafficRow&) const = default;
};
BOOST_DESCRIBE_STRUCT(TrafficRow, (), (region, name, moduleId, requests, failures, latency, latencySeconds))

// Not thread-safe.
class Traffic {
 public:
  // What happened between two reports of a node (figures.h, counted_between).
  void add(const Region& region, const std::vector<VersionMetrics>& windows, SteadyPoint now);
  // Forgets versions that were not called for limits::kTrafficKept.
  void forget_idle(SteadyPoint now);

  [[nodiscard]] std::vector<TrafficRow> rows(const TenantId& tenant) const;

 private:
  struct Key {
    TenantId tenant;
    Region region;
    std::string name;
    ModuleId version;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    VersionMetrics total;
    SteadyPoint called;
  };
  std::map<Key, Entry> entries_;
};

}  // namespace hotswap::control
