// The nodes as the control plane knows them: who polls, what each has been told and what it reported.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "control/figures.h"
#include "control/liveness.h"
#include "control/node_registry.h"
#include "control/node_states.h"
#include "control/publication.h"
#include "control/settings.h"
#include "control/signal.h"
#include "control/traffic.h"
#include "rollout/decide.h"
#include "rollout/planner.h"

namespace hotswap::control {

// As GET /api/v1/wasm/nodes shows a node (source 000, EdgeNode), and how far it has come with what it was told.
struct NodeStatus {
  NodeId nodeId;
  std::string hostname;
  int port = 0;
  Region region;
  std::optional<std::string> zone;
  WasmRuntime runtime = WasmRuntime::Wasmtime;
  std::string runtimeVersion;
  WasiVersion wasiVersion = WasiVersion::None;
  std::vector<std::string> capabilities;
  std::vector<ModuleId> deployedModules;
  int maxModules = static_cast<int>(limits::kModulesPerNode);
  NodeHardware hardware;
  NodeHealth health;
  NodeMetrics metrics;
  std::optional<TimePoint> lastHeartbeat;
  std::optional<TimePoint> startedAt;
  std::optional<TimePoint> registeredAt;
  bool isEnabled = true;
  NodeCondition condition = NodeCondition::Unknown;
  bool draining = false;
  std::vector<ModuleId> pinnedModules;
  std::int64_t desiredRevision = 0;
  std::int64_t routedRevision = 0;
  int versionsReady = 0;
  int versionsPreparing = 0;
  int versionsFailed = 0;
};
BOOST_DESCRIBE_STRUCT(NodeStatus, (),
                      (nodeId, hostname, port, region, zone, runtime, runtimeVersion, wasiVersion, capabilities,
                       deployedModules, maxModules, hardware, health, metrics, lastHeartbeat, startedAt, registeredAt,
                       isEnabled, condition, draining, pinnedModules, desiredRevision, routedRevision, versionsReady,
                       versionsPreparing, versionsFailed))

// Everything on `home`, one executor. Nothing here is persisted: nodes report again after a restart.
class Fleet {
 public:
  // `reported` is notified when a report came, a node was heard of, or the condition of one changed.
  Fleet(asio::any_io_executor home, const Options& options, Publication& publication, const NodeRegistry& registry,
        Signal& reported, const Clock& clock, Metrics& metrics);

  // The nodes of the registry are known, and expected to report.
  void expect_registered();

  struct Poll {
    NodeId node;
    std::int64_t after = 0;     // the revision that the node has
    Region region{};            // may be empty for a node that is known, or where there is one region only
    std::string incarnation{};  // may be empty
  };
  struct Polled {
    std::shared_ptr<const DesiredState> before;  // what the node has; null where that is not known here
    std::shared_ptr<const DesiredState> now;     // the same where nothing changed for as long as a poll takes
  };
  // The node's side (see node::ControlLink). kConflict where the region cannot be known; kInvalid for a region that is
  // not configured.
  Task<Result<Polled>> poll(Poll poll);
  Result<ReportReply> report(NodeReport report);

  // Follows the conditions of nodes as time passes, until stop().
  Task<void> watch();
  // Wakes the nodes whose desired state changed.
  void published();
  // Forgets a node that was removed.
  void forget(const NodeId& id);
  // Ends every poll with kUnavailable, now and later.
  void stop();

  [[nodiscard]] const rollout::FleetReports& reports() const noexcept { return reports_; }
  // Sorted by id; only those of `regions`.
  [[nodiscard]] std::vector<rollout::TargetNode> nodes(const std::vector<Region>& regions) const;
  // Of those, the ones that hold the versions of a name, or will once it is deployed.
  [[nodiscard]] std::vector<rollout::TargetNode> nodes(const std::vector<Region>& regions, const RouteKey& key) const;
  [[nodiscard]] std::optional<rollout::TargetNode> node(const NodeId& id) const;
  // nullopt where the node is not known.
  [[nodiscard]] std::optional<NodeCondition> condition(const NodeId& id) const;
  // See hotswap::lacking; nothing is known to lack of a node that never registered.
  [[nodiscard]] std::vector<std::string> lacking(const NodeId& id, const Module& module) const;
  [[nodiscard]] std::vector<NodeId> known() const;
  [[nodiscard]] std::vector<NodeStatus> status(const TenantId& tenant) const;
  [[nodiscard]] Result<NodeStatus> status(const TenantId& tenant, const NodeId& id) const;
  // Bytes of the binary with this digest; nullopt where the node shall hold no such version.
  [[nodiscard]] std::optional<std::uint64_t> artifact_size(const NodeId& id, const Digest& digest);
  // Who can answer a request: nodes that take requests and report ready what it asks for. kNotFound where nothing
  // routes it, kUnavailable where no node is ready.
  struct Wanted {
    TenantId tenant;
    std::optional<std::string> name;  // a route's, or
    std::optional<ModuleId> version;  // exactly this one
    std::optional<Region> region;     // absent = any
    auto operator<=>(const Wanted&) const = default;
  };
  [[nodiscard]] Result<std::vector<Peer>> serving(const Wanted& wanted);
  // What the nodes of the question's regions report that both sides did within its window.
  [[nodiscard]] rollout::Samples samples(const SampleQuestion& question) const;
  // For a person who looks: the nodes report faster for a while, as far as their number allows.
  [[nodiscard]] std::vector<TrafficRow> watched_traffic(const TenantId& tenant);
  // What autoscaling looks at.
  [[nodiscard]] scaling::Figures figures(const Region& region) const;
  // Whether a draining node serves nothing any more that is not pinned to it, and the nodes of its region know.
  // kUnavailable once the control plane is stopping.
  [[nodiscard]] Result<bool> drained(const NodeId& id);
  void update_gauges();

 private:
  struct Node {
    explicit Node(SteadyPoint known_since) : liveness(known_since) {}
    Region region;
    Liveness liveness;
    NodeCondition condition = NodeCondition::Unknown;  // as last seen by watch()
    std::string incarnation;
    bool leaving = false;                       // as this incarnation said last
    bool complete = false;                      // every version that it shall hold is ready, it said last
    std::shared_ptr<const DesiredState> given;  // the desired state that it received last
    std::optional<TimePoint> reported_at;
    Gauge* versions = nullptr;
  };
  [[nodiscard]] NodeCondition condition(const Node& node) const;
  [[nodiscard]] bool deployable(const NodeId& id, const Node& node) const;
  [[nodiscard]] NodeStatus status_of(const TenantId& tenant, const NodeId& id, const Node& node) const;
  Node& add(const NodeId& id, Region region);
  // Takes the next step of placement, and wakes the nodes that it concerns.
  void place();
  [[nodiscard]] std::vector<PlacedNode> placed_nodes(const Region& region) const;
  // Whether the node holds every version ready that the route names there.
  [[nodiscard]] bool ready(const RoutedVersions& routed, const NodeId& id) const;
  // Whether no other node sends requests on to one that is leaving.
  [[nodiscard]] bool released(const NodeId& id, const Region& region) const;
  [[nodiscard]] std::string forward_key(const NodeId& id) const;
  [[nodiscard]] bool serves(const NodeId& id, const Node& node, const Wanted& wanted, bool& routed) const;
  [[nodiscard]] std::chrono::milliseconds pace(bool in_rollout) const;
  Result<Node*> hear(const NodeId& id, const Region& region);
  void reborn(const NodeId& id, Node& node, const std::string& incarnation);
  Task<void> wait_for_change(NodeId id, std::int64_t after);

  asio::any_io_executor home_;
  const Options& options_;
  Publication& publication_;
  const NodeRegistry& registry_;
  Signal& reported_;
  const Clock& clock_;
  Metrics& metrics_;
  Signal changed_;
  Signal stopped_;
  bool stopping_ = false;
  std::map<NodeId, Node> nodes_;
  rollout::FleetReports reports_;
  Figures figures_;
  Traffic traffic_;
  SteadyPoint traffic_watched_until_{};
  NodeStates states_;
  bool placement_due_ = true;
  std::uint64_t placed_registry_ = 0;            // version of the registry that the last placement saw
  std::map<Wanted, std::vector<Peer>> serving_;  // answers, until a node or a route changes
  Gauge& count_;
  Gauge& healthy_;
  Gauge& unplaced_;
};

}  // namespace hotswap::control
