// What the versions under a rollout did, region by region, as their nodes report it.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/limits.h"
#include "control/sample_source.h"
#include "model/desired_state.h"
#include "model/node_report.h"
#include "rollout/analysis.h"

namespace hotswap::control {

// What each version did on a node between two of its reports. A version that counts backwards, or otherwise than every
// node, is left out, and so is one that was not called.
[[nodiscard]] std::vector<VersionMetrics> counted_between(const NodeReport& before, const NodeReport& after);
void add_window(VersionMetrics& total, const VersionMetrics& window);

// Totals that only grow, whatever a node's counters do, with marks in them by which a window finds its beginning. What
// happened between two reports counts as of the second: a window begins with the first report within it.
// Not thread-safe.
class Figures {
 public:
  // What happened between two reports of a node; its first one alone does not say when what it counts happened. Only
  // versions of `watched` names count.
  void add(const Region& region, const std::vector<VersionMetrics>& windows, const std::set<RouteKey>& watched,
           TimePoint now);
  // Forgets every name that is not watched any more.
  void keep(const std::function<bool(const Region&, const RouteKey&)>& watched);

  // Of both sides, in the regions asked about. No queries, and no examples: reports do not count them.
  [[nodiscard]] rollout::Samples samples(const SampleQuestion& question) const;

 private:
  struct Key {
    Region region;
    RouteKey route;
    ModuleId version;
    auto operator<=>(const Key&) const = default;
  };
  struct Mark {
    TimePoint at;
    VersionMetrics before;  // everything that was counted before this time
  };
  struct Series {
    VersionMetrics total;
    std::deque<Mark> marks;                                         // by time
    std::chrono::milliseconds apart = limits::kFigureMarkInterval;  // at least, from here on
  };
  // What was counted since then.
  [[nodiscard]] VersionMetrics window(const Key& key, TimePoint since) const;
  static void add_sample(rollout::VersionSample& sample, const VersionMetrics& window);
  static void add_sample(rollout::ShadowSample& sample, const ShadowMetrics& window);

  std::map<Key, Series> series_;
};

}  // namespace hotswap::control
