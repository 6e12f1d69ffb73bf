// The nodes as the control plane knows them: who polls, what each has been told and what it reported.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "control/publication.h"
#include "control/settings.h"
#include "control/signal.h"
#include "rollout/decide.h"
#include "rollout/planner.h"

namespace hotswap::control {

// As GET /api/v1/wasm/nodes shows a node.
struct NodeStatus {
  NodeId nodeId;
  Region region;
  bool healthy = false;
  std::int64_t desiredRevision = 0;
  std::int64_t routedRevision = 0;
  int versionsReady = 0;
  int versionsPreparing = 0;
  int versionsFailed = 0;
  std::optional<TimePoint> lastReportAt;
};
BOOST_DESCRIBE_STRUCT(NodeStatus, (),
                      (nodeId, region, healthy, desiredRevision, routedRevision, versionsReady, versionsPreparing,
                       versionsFailed, lastReportAt))

// Everything on `home`, one executor. Nothing here is persisted: nodes report again after a restart.
class Fleet {
 public:
  // `reported` is notified when a report came or a node was heard of.
  Fleet(asio::any_io_executor home, const Options& options, Publication& publication, Signal& reported,
        const Clock& clock, Metrics& metrics);

  // The node's side (see node::ControlLink). `region` may be empty for a node that has reported, or where there is one
  // region only. kConflict where the region cannot be known; kInvalid for a region that is not configured.
  Task<Result<DesiredState>> desired_state(NodeId node, std::int64_t after, Region region);
  Result<> report(NodeReport report);

  // Wakes the nodes whose desired state changed.
  void published();
  // Ends every poll with kUnavailable, now and later.
  void stop();

  [[nodiscard]] const rollout::FleetReports& reports() const noexcept { return reports_; }
  // Sorted by id; only those of `regions`.
  [[nodiscard]] std::vector<rollout::TargetNode> nodes(const std::vector<Region>& regions) const;
  [[nodiscard]] std::optional<rollout::TargetNode> node(const NodeId& id) const;
  [[nodiscard]] std::vector<NodeId> known() const;
  [[nodiscard]] std::vector<NodeStatus> status() const;
  void update_gauges();

 private:
  struct Node {
    Region region;
    int polling = 0;
    std::int64_t given = 0;  // the revision of the desired state that it received last
    SteadyPoint heard;
    std::optional<TimePoint> reported_at;
    Gauge* versions = nullptr;
  };
  [[nodiscard]] bool healthy(const Node& node) const;
  Result<Node*> hear(const NodeId& id, const Region& region);
  Task<void> wait_for_change(const NodeId& id, std::int64_t after);

  asio::any_io_executor home_;
  const Options& options_;
  Publication& publication_;
  Signal& reported_;
  const Clock& clock_;
  Metrics& metrics_;
  Signal changed_;
  bool stopping_ = false;
  std::map<NodeId, Node> nodes_;
  rollout::FleetReports reports_;
  Gauge& count_;
  Gauge& healthy_;
};

}  // namespace hotswap::control
