// The wire between control plane and node: what a node shall hold ready and route, and what it reports back. The only
// vocabulary that both sides share.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "model/deployment.h"
#include "model/module.h"
#include "model/node.h"
#include "model/route.h"

namespace hotswap {

// A version that the node shall hold ready. Ready = compiled, loaded and, where a check is given, healthy.
struct DesiredVersion {
  TenantId tenant;
  ModuleId moduleId;
  std::string name;
  Digest digest;
  std::uint64_t sizeBytes = 0;
  ModuleKind kind = ModuleKind::Core;
  bool httpHandler = false;  // exports wasi:http's handler
  ResourceLimits limits;
  std::optional<HealthCheck> healthCheck;
  // Of the check that shall be run: another number than the last one asks for another run. No number is used twice.
  std::int64_t checkNumber = 0;
  bool operator==(const DesiredVersion&) const = default;
};
BOOST_DESCRIBE_STRUCT(DesiredVersion, (),
                      (tenant, moduleId, name, digest, sizeBytes, kind, httpHandler, limits, healthCheck, checkNumber))

// A route of the node's region that other nodes serve, for as long as this one does not: requests for it are sent on to
// one of them.
struct RemoteRoute {
  TenantId tenant;
  std::string name;
  std::vector<Peer> peers;
  std::vector<ModuleId> versions{};     // that may be asked for by id
  std::vector<HttpBinding> bindings{};  // where its handlers answer; none where it has none
  bool operator==(const RemoteRoute&) const = default;
};
BOOST_DESCRIBE_STRUCT(RemoteRoute, (), (tenant, name, peers, versions, bindings))

struct DesiredState {
  std::int64_t revision = 0;  // grows with every change
  std::vector<DesiredVersion> versions;
  std::vector<Route> routes;  // refer to versions above only
  std::vector<RemoteRoute> remotes{};
  bool operator==(const DesiredState&) const = default;
};
BOOST_DESCRIBE_STRUCT(DesiredState, (), (revision, versions, routes, remotes))

struct VersionKey {
  TenantId tenant;
  ModuleId moduleId;
  auto operator<=>(const VersionKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(VersionKey, (), (tenant, moduleId))

struct RouteKey {
  TenantId tenant;
  std::string name;
  auto operator<=>(const RouteKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(RouteKey, (), (tenant, name))

// From one desired state of a node to a newer one, so that what travels grows with the change and not with the fleet.
struct DesiredChange {
  std::optional<std::int64_t> from;  // revision that it applies to; absent: to nothing, it is everything
  std::int64_t revision = 0;
  std::vector<DesiredVersion> putVersions;
  std::vector<VersionKey> dropVersions;
  std::vector<Route> putRoutes;
  std::vector<RouteKey> dropRoutes;
  std::vector<RemoteRoute> putRemotes{};
  std::vector<RouteKey> dropRemotes{};
  bool operator==(const DesiredChange&) const = default;
};
BOOST_DESCRIBE_STRUCT(DesiredChange, (),
                      (from, revision, putVersions, dropVersions, putRoutes, dropRoutes, putRemotes, dropRemotes))

[[nodiscard]] DesiredChange everything(const DesiredState& to);
[[nodiscard]] DesiredChange change_between(const DesiredState& from, const DesiredState& to);
// kConflict where the change is made for another revision than the state's.
[[nodiscard]] Result<DesiredState> apply(DesiredState state, DesiredChange change);

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
  bool operator==(const NodeReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(NodeReport, (),
                      (nodeId, region, routedRevision, knownRevision, versions, incarnation, forwardKey, leaving,
                       health, metrics, versionMetrics, shadowExamples))

// The control plane sets the pace: faster while a rollout touches the node.
struct ReportReply {
  std::int64_t nextReportMs = 0;
  bool mayLeave = false;  // to a node that is leaving: nobody sends requests on to it any more
  bool operator==(const ReportReply&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReportReply, (), (nextReportMs, mayLeave))

struct InvocationCount {
  TenantId tenant;
  ModuleId moduleId;
  std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(InvocationCount, (), (tenant, moduleId, count))

}  // namespace hotswap
