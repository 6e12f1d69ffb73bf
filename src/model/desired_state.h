// The wire from the control plane to a node: what the node shall hold ready and route. With node_report.h, the way
// back, the only vocabulary that both sides share.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/shared.h"
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
  std::vector<Shared<RemoteRoute>> remotes{};
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
  std::vector<Shared<RemoteRoute>> putRemotes{};
  std::vector<RouteKey> dropRemotes{};
  bool operator==(const DesiredChange&) const = default;
};
BOOST_DESCRIBE_STRUCT(DesiredChange, (),
                      (from, revision, putVersions, dropVersions, putRoutes, dropRoutes, putRemotes, dropRemotes))

[[nodiscard]] DesiredChange everything(const DesiredState& to);
[[nodiscard]] DesiredChange change_between(const DesiredState& from, const DesiredState& to);
// kConflict where the change is made for another revision than the state's.
[[nodiscard]] Result<DesiredState> apply(DesiredState state, DesiredChange change);

struct InvocationCount {
  TenantId tenant;
  ModuleId moduleId;
  std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(InvocationCount, (), (tenant, moduleId, count))

}  // namespace hotswap
