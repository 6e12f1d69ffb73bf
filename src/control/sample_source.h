// Where the figures come from that an analysis looks at.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/task.h"
#include "rollout/analysis.h"

namespace hotswap::control {

struct SampleQuestion {
  TenantId tenant;
  std::string name;                  // of the route
  ModuleId candidate;                // the version that is brought
  std::vector<ModuleId> baseline;    // those in place
  std::vector<Region> regions;       // where both are routed
  TimePoint since;                   // the beginning of the window; it ends now
  std::vector<std::string> queries;  // PromQL
};

// Stands in for what the nodes report (figures.h). Awaited on the driver's executor, while no other deployment moves:
// it must answer quickly, and leave out what it does not know.
using SampleSource = std::function<Task<rollout::Samples>(SampleQuestion)>;

}  // namespace hotswap::control
