// A node of the fleet (source 000, EdgeNode; FR-WASM-004): what it says about itself, how it fares, and what people
// decided about it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/limits.h"
#include "model/module.h"
#include "model/shadow.h"

namespace hotswap {

enum class WasmRuntime { Wasmtime, WasmEdge, Wasmer };
BOOST_DESCRIBE_ENUM(WasmRuntime, Wasmtime, WasmEdge, Wasmer)

struct NodeHardware {
  int cpuCores = 0;
  std::int64_t totalMemoryMB = 0;
  std::int64_t totalDiskGB = 0;
  std::string operatingSystem = "Linux";
  std::string architecture;
  bool operator==(const NodeHardware&) const = default;
};
BOOST_DESCRIBE_STRUCT(NodeHardware, (), (cpuCores, totalMemoryMB, totalDiskGB, operatingSystem, architecture))

// What a node states when it registers.
struct NodeDescription {
  NodeId nodeId;
  std::string hostname;  // where its gateway is reached
  int port = 8080;
  Region region;
  std::optional<std::string> zone;
  WasmRuntime runtime = WasmRuntime::Wasmtime;
  std::string runtimeVersion;
  WasiVersion wasiVersion = WasiVersion::Preview2;  // the newest that it supports
  std::vector<std::string> capabilities;            // WASI interfaces
  int maxModules = static_cast<int>(limits::kModulesPerNode);
  NodeHardware hardware;
  TimePoint startedAt;
  std::string incarnation;  // another one for each life of the process
  bool operator==(const NodeDescription&) const = default;
  static constexpr std::array kRequired{std::string_view("nodeId"), std::string_view("hostname"),
                                        std::string_view("region"), std::string_view("runtimeVersion")};
};
BOOST_DESCRIBE_STRUCT(NodeDescription, (),
                      (nodeId, hostname, port, region, zone, runtime, runtimeVersion, wasiVersion, capabilities,
                       maxModules, hardware, startedAt, incarnation))
[[nodiscard]] std::vector<FieldError> validate(const NodeDescription& node);

// What a module needs and the node did not state, by name: "wasi:sockets/tcp@0.2.0". A version on the
// same compatibility track is as good, as the linker has it. Of a node that stated nothing, nothing is known to lack.
[[nodiscard]] std::vector<std::string> lacking(const NodeDescription& node, const Module& module);

// Figures of the machine and the process, as of a report (NodeHealth).
struct NodeHealth {
  bool isHealthy = true;
  int modulesLoaded = 0;
  double cpuUsagePercent = 0;  // of all processors together, 0–100, by whatever runs on the machine
  // Of the processors that the node's process may use, by that process alone: the load that more nodes take off it.
  std::optional<double> processCpuPercent{};
  std::int64_t memoryUsageMB = 0;
  std::int64_t diskUsageGB = 0;
  double networkMbps = 0;  // received and sent
  bool operator==(const NodeHealth&) const = default;
};
BOOST_DESCRIBE_STRUCT(NodeHealth, (),
                      (isHealthy, modulesLoaded, cpuUsagePercent, processCpuPercent, memoryUsageMB, diskUsageGB,
                       networkMbps))

// Since the process started (NodeMetrics).
struct NodeMetrics {
  std::int64_t totalInvocations = 0;
  std::int64_t failedInvocations = 0;
  double avgInvocationLatencyMs = 0;
  double avgModuleInitMs = 0;
  double throughputReqPerSec = 0;  // between the last two reports
  bool operator==(const NodeMetrics&) const = default;
};
BOOST_DESCRIBE_STRUCT(NodeMetrics, (),
                      (totalInvocations, failedInvocations, avgInvocationLatencyMs, avgModuleInitMs,
                       throughputReqPerSec))

// What one version did on one node since the node's incarnation began. Only grows, also while the version is dropped
// and made ready again, so that a window is the difference of two reports of the same incarnation.
struct VersionMetrics {
  TenantId tenant;
  std::string name;  // of the route
  ModuleId moduleId;
  std::int64_t requests = 0;
  std::int64_t failures = 0;                 // the guest's own, and its answers with a status of 500 and above
  std::vector<std::int64_t> latency;         // requests by upper bound (latency_bounds()), and one beyond the last
  double latencySeconds = 0;                 // all of them together
  std::optional<ShadowMetrics> shadow = {};  // of copies, which are no requests; absent where there were none
  bool operator==(const VersionMetrics&) const = default;
};
BOOST_DESCRIBE_STRUCT(VersionMetrics, (), (tenant, name, moduleId, requests, failures, latency, latencySeconds, shadow))

// What happened between two reports of a node. Where the incarnation changed, everything that `after` counts.
struct CountedBy {
  const std::string& incarnation;
  const VersionMetrics& metrics;
};
[[nodiscard]] VersionMetrics difference(const CountedBy& before, const CountedBy& after);

// A node as others reach it.
struct Peer {
  NodeId node;
  std::string origin;  // "http://host:port" of its gateway
  std::string key{};   // shows the node that a request was sent on to it by one of the fleet; a secret of the fleet
  auto operator<=>(const Peer&) const = default;
};
BOOST_DESCRIBE_STRUCT(Peer, (), (node, origin, key))
[[nodiscard]] std::string gateway_origin(const NodeDescription& node);

// A version that a node shall hold and route to, whatever the region routes.
struct Pin {
  TenantId tenant;
  ModuleId moduleId;
  bool operator==(const Pin&) const = default;
};
BOOST_DESCRIBE_STRUCT(Pin, (), (tenant, moduleId))

// A node as the control plane keeps it. `credentials` are digests: nobody can take one from the store.
struct NodeRecord {
  NodeDescription node;
  TimePoint registeredAt;
  bool isEnabled = true;  // disabled: takes no new deployments
  bool draining = false;  // its copies move elsewhere
  std::vector<Pin> pins;
  struct Credential {
    Digest digest;
    TimePoint expiresAt;
    bool operator==(const Credential&) const = default;
  };
  std::vector<Credential> credentials;  // the newest last; the one before lives until the newest was used
  bool operator==(const NodeRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(NodeRecord::Credential, (), (digest, expiresAt))
BOOST_DESCRIBE_STRUCT(NodeRecord, (), (node, registeredAt, isEnabled, draining, pins, credentials))

// What lets a machine become a node. Its secret is told once and never stored.
struct JoinToken {
  std::string tokenId;
  std::string description;
  std::optional<Region> region;  // nodes of this region only
  TimePoint createdAt;
  std::string createdBy;
  std::optional<TimePoint> expiresAt;
  std::optional<TimePoint> revokedAt;
  std::optional<TimePoint> lastUsedAt;
  bool operator==(const JoinToken&) const = default;
};
BOOST_DESCRIBE_STRUCT(JoinToken, (),
                      (tokenId, description, region, createdAt, createdBy, expiresAt, revokedAt, lastUsedAt))

struct JoinTokenRequest {
  std::string description;
  std::optional<Region> region;
  std::optional<std::int64_t> expiresInSeconds;
};
BOOST_DESCRIBE_STRUCT(JoinTokenRequest, (), (description, region, expiresInSeconds))
[[nodiscard]] std::vector<FieldError> validate(const JoinTokenRequest& request);

// A credential as the node receives it. The life is relative, so that the clocks of two machines need not agree.
struct IssuedCredential {
  NodeId nodeId;
  std::string credential;
  std::int64_t expiresInSeconds = 0;
};
BOOST_DESCRIBE_STRUCT(IssuedCredential, (), (nodeId, credential, expiresInSeconds))

}  // namespace hotswap
