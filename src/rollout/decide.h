// What a rollout does next. Pure and level-triggered: the same facts give the same decision, whatever happened before,
// so that a control plane may be killed at any moment and another one carries on.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "model/deployment.h"
#include "model/desired_state.h"
#include "model/node_report.h"
#include "rollout/analysis.h"

namespace hotswap::rollout {

// The last report of each node.
using FleetReports = std::map<NodeId, NodeReport>;

struct RolloutState {
  TenantId tenant;
  Deployment deployment;
  // Of the desired state since which the current step stands in it.
  std::int64_t step_revision = 0;
  // Of the check that the nodes were asked for last (DesiredVersion).
  std::int64_t check_number = 0;
  // Since when somebody watches: nodes get their time again after the control plane was away.
  TimePoint watched_since;
  // Nodes that are not heard of any more. They are not waited for: they take what stands when they come back.
  std::set<NodeId> lost = {};
  // Nodes that hold no version of the name and send its requests on. Where the current step brings a route that was not
  // there, they are given time to learn of it too, so that a deployment that ends is reached everywhere.
  std::set<NodeId> gateways = {};
  // Of the current step; looked at in a hold with an analysis only.
  Samples samples = {};
};

// Nothing to do before a report changes or this time comes.
struct Wait {
  TimePoint until;
  bool operator==(const Wait&) const = default;
};
// The current step is done; `next` is the index of the one to start.
struct Advance {
  int next = 0;
  bool operator==(const Advance&) const = default;
};
// The current step is done and it was the last one.
struct Complete {
  bool operator==(const Complete&) const = default;
};
// The deployment ends here and leaves the routes as they are.
struct Fail {
  std::string reason;
  std::vector<NodeId> nodes;
  bool operator==(const Fail&) const = default;
};
// The deployment ends, and the routes return: those before it, or where `regions` are named, only theirs.
struct RollBack {
  std::string reason;
  std::vector<NodeId> nodes;
  std::vector<Region> regions = {};
  bool operator==(const RollBack&) const = default;
};
// A person is asked.
struct Pause {
  std::string reason;
  std::vector<NodeId> nodes;
  bool operator==(const Pause&) const = default;
};
// A measurement was made; it is to be kept, and then decided upon.
struct Measured {
  AnalysisRun run;
  AnalysisOutcome outcome = AnalysisOutcome::inconclusive;
  std::optional<ShadowReport> shadow = {};  // where the step's analysis looks at one
  bool operator==(const Measured&) const = default;
};
using Decision = std::variant<Wait, Advance, Complete, Fail, RollBack, Pause, Measured>;

// For a deployment that is InProgress.
[[nodiscard]] Decision decide(const RolloutState& state, const FleetReports& reports, TimePoint now);

// Whether decide() would look at the samples now.
[[nodiscard]] bool measures(const Deployment& deployment, TimePoint now);

// Since when a measurement is due: the answers to its queries must not be older. Absent where the current step is none
// that is measured.
[[nodiscard]] std::optional<TimePoint> measurement_due(const Deployment& deployment);

// The nodes that decide() asks about: those of the current step and of the one that follows.
[[nodiscard]] std::set<NodeId> asked_about(const Deployment& deployment);

// Whether the nodes are to run the health check now: the deployment is InProgress in a Check step.
[[nodiscard]] bool checks(const Deployment& deployment);

// Percent of the plan that is done when `step` begins.
[[nodiscard]] int progress(const Deployment& deployment, int step);

}  // namespace hotswap::rollout
