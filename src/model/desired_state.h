// The wire between control plane and node: what a node shall hold ready and route, and what it reports back. The only
// vocabulary that both sides share.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "model/deployment.h"
#include "model/module.h"
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
  bool operator==(const DesiredVersion&) const = default;
};
BOOST_DESCRIBE_STRUCT(DesiredVersion, (),
                      (tenant, moduleId, name, digest, sizeBytes, kind, httpHandler, limits, healthCheck))

struct DesiredState {
  std::int64_t revision = 0;  // grows with every change
  std::vector<DesiredVersion> versions;
  std::vector<Route> routes;  // refer to versions above only
  bool operator==(const DesiredState&) const = default;
};
BOOST_DESCRIBE_STRUCT(DesiredState, (), (revision, versions, routes))

enum class VersionState { Fetching, Compiling, Ready, Failed };
BOOST_DESCRIBE_ENUM(VersionState, Fetching, Compiling, Ready, Failed)

struct VersionReport {
  TenantId tenant;
  ModuleId moduleId;
  VersionState state = VersionState::Fetching;
  std::string reason;  // why it failed, or what was skipped
  bool operator==(const VersionReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(VersionReport, (), (tenant, moduleId, state, reason))

struct NodeReport {
  NodeId nodeId;
  Region region;
  std::int64_t routedRevision = 0;  // every I/O thread of the node routes by this revision
  std::vector<VersionReport> versions;
  bool operator==(const NodeReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(NodeReport, (), (nodeId, region, routedRevision, versions))

}  // namespace hotswap
