// The wire from a node to the control plane: how far it is with its desired state, how it fares, what its versions did.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/desired_state.h"
#include "model/node.h"
#include "model/shadow.h"

namespace hotswap {

enum class VersionState { Fetching, Compiling, Ready, Failed };
BOOST_DESCRIBE_ENUM(VersionState, Fetching, Compiling, Ready, Failed)

struct VersionReport {
  TenantId tenant;
  ModuleId moduleId;
  VersionState state = VersionState::Fetching;
  std::string reason;  // why it failed, or what was skipped
  // The last check that was run, and how it failed ("" = it did not). A version whose later check failed stays Ready:
  // it may be routed.
  std::int64_t checkNumber = 0;
  std::string checkFailure = {};
  bool operator==(const VersionReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(VersionReport, (), (tenant, moduleId, state, reason, checkNumber, checkFailure))

// `versions` and `versionMetrics` are sorted by tenant and module.
struct NodeReport {
  NodeId nodeId;
  Region region;
  std::int64_t routedRevision = 0;  // every I/O thread of the node routes by this revision
  // What `versions` answers to: a version that is called ready may be an older preparation, dropped since, where a
  // newer desired state asked for it again.
  std::int64_t knownRevision = 0;
  std::vector<VersionReport> versions;
  std::string incarnation{};  // of the process; counters begin anew with it
  std::string forwardKey{};   // what peers show when they send a request on to this node
  bool leaving = false;       // it stops as soon as nobody sends requests on to it any more
  std::optional<NodeHealth> health{};
  std::optional<NodeMetrics> metrics{};
  std::vector<VersionMetrics> versionMetrics{};
  std::vector<ShadowExamples> shadowExamples{};  // of the versions that routes shadow now
  std::int64_t number = 0;                       // of this report, grows within the incarnation; 0: it has none
  // Present: `versions` and `versionMetrics` are only those that differ from what was known after the report of this
  // number, and `dropVersions` are those that are gone since. Absent: they are all.
  std::optional<std::int64_t> after{};
  std::vector<VersionKey> dropVersions{};
  bool operator==(const NodeReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(NodeReport, (),
                      (nodeId, region, routedRevision, knownRevision, versions, incarnation, forwardKey, leaving,
                       health, metrics, versionMetrics, shadowExamples, number, after, dropVersions))

// What `now` tells to whoever knows `known`, both being whole reports of one incarnation. Metrics go with their version
// only.
[[nodiscard]] NodeReport change_between(const NodeReport& known, NodeReport now);
// Brings `known`, a whole report, to what `report` says. Whether the versions differ from before; kConflict, and
// `known` stays as it is, where the report builds on another one, or is an older one that came late.
[[nodiscard]] Result<bool> apply(NodeReport& known, NodeReport report);
// nullptr where the node does not speak of it.
[[nodiscard]] const VersionReport* find_version(const NodeReport& report, const TenantId& tenant, const ModuleId& id);
[[nodiscard]] const VersionMetrics* find_metrics(const NodeReport& report, const TenantId& tenant, const ModuleId& id);

// The control plane sets the pace: faster while a rollout touches the node.
struct ReportReply {
  std::int64_t nextReportMs = 0;
  bool mayLeave = false;  // to a node that is leaving: nobody sends requests on to it any more
  bool operator==(const ReportReply&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReportReply, (), (nextReportMs, mayLeave))

}  // namespace hotswap
