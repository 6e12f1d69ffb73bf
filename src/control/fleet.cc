#include "control/fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/text_rules.h"

namespace hotswap::control {

Fleet::Fleet(asio::any_io_executor home, const Options& options, Publication& publication, Signal& reported,
             const Clock& clock, Metrics& metrics)
    : home_(home),
      options_(options),
      publication_(publication),
      reported_(reported),
      clock_(clock),
      metrics_(metrics),
      changed_(std::move(home)),
      count_(metrics.gauge("wasm.edge_nodes.count", "Nodes that polled or reported since the control plane started")),
      healthy_(metrics.gauge("wasm.edge_nodes.healthy", "Nodes that poll or reported lately")) {}

bool Fleet::healthy(const Node& node) const {
  return node.polling > 0 || clock_.steady() - node.heard < options_.node_silence;
}

Result<Fleet::Node*> Fleet::hear(const NodeId& id, const Region& region) {
  if (auto problem = node_name_problem(id.str()); !problem.empty()) {
    return fail_fields({{"nodeId", std::move(problem)}});
  }
  const auto found = nodes_.find(id);
  Region in = region;
  if (in.empty() && found != nodes_.end()) in = found->second.region;
  if (in.empty() && options_.regions.size() == 1) in = options_.regions.front().region;
  if (in.empty()) {
    return fail(ErrorKind::kConflict,
                fmt::format("node {} has not said in which region it is: report first", id.str()));
  }
  if (!publication_.knows(in)) {
    std::string known;
    for (const auto& setting : options_.regions) known += (known.empty() ? "" : ", ") + setting.region.str();
    return fail_fields({{"region", fmt::format("there is no region {}; the regions are {}", in.str(), known)}});
  }
  Node& node = nodes_[id];
  if (node.versions == nullptr) {
    node.versions =
        &metrics_.gauge("wasm.modules.deployed.per_node", "Versions that the node reports ready", {{"node", id.str()}});
  }
  node.region = std::move(in);
  node.heard = clock_.steady();
  return &node;
}

Task<void> Fleet::wait_for_change(const NodeId& id, std::int64_t after) {
  const auto until = std::chrono::steady_clock::now() + limits::kLongPoll;
  Node& node = nodes_.at(id);
  // The guard counts down also when the poll is cancelled.
  struct Polling {
    Node& node;
    explicit Polling(Node& polled) : node(polled) { ++node.polling; }
    ~Polling() { --node.polling; }
    Polling(const Polling&) = delete;
    Polling& operator=(const Polling&) = delete;
  } const polling(node);
  while (!stopping_ && publication_.revision(node.region) == after && std::chrono::steady_clock::now() < until) {
    const auto seen = changed_.count();
    co_await changed_.wait(seen, until);
  }
}

Task<Result<DesiredState>> Fleet::desired_state(NodeId id, std::int64_t after, Region region) {
  if (stopping_) co_return fail(ErrorKind::kUnavailable, "the control plane is stopping");
  const bool first = !nodes_.contains(id);
  HS_CO_TRY(Node * node, hear(id, region));
  // A node that has nothing has just been started: what it reported in an earlier life is no longer true.
  if (after == 0) reports_.erase(id);
  // Whatever an unknown node has was given by an earlier process: a number that happens to be the same means nothing.
  if (first && after == publication_.revision(node->region)) publication_.claim(publication_.revision() + 1);
  if (publication_.claim(after) || first) {
    published();
    reported_.notify();
  }
  co_await wait_for_change(id, after);
  if (stopping_) co_return fail(ErrorKind::kUnavailable, "the control plane is stopping");
  node->heard = clock_.steady();
  node->given = publication_.revision(node->region);
  co_return *publication_.state(node->region);
}

Result<> Fleet::report(NodeReport report) {
  if (stopping_) return fail(ErrorKind::kUnavailable, "the control plane is stopping");
  if (report.region.empty()) return fail_fields({{"region", "is required"}});
  HS_TRY(Node * node, hear(report.nodeId, report.region));
  if (publication_.claim(report.routedRevision)) published();
  const auto ready = std::ranges::count(report.versions, VersionState::Ready, &VersionReport::state);
  node->versions->set(static_cast<double>(ready));
  node->reported_at = clock_.now();
  const NodeId id = report.nodeId;
  reports_[id] = {.report = std::move(report), .known_revision = node->given};
  reported_.notify();
  return {};
}

void Fleet::published() { changed_.notify(); }

void Fleet::stop() {
  stopping_ = true;
  changed_.notify();
}

std::vector<rollout::TargetNode> Fleet::nodes(const std::vector<Region>& regions) const {
  std::vector<rollout::TargetNode> found;
  for (const auto& [id, node] : nodes_) {
    if (std::ranges::find(regions, node.region) == regions.end()) continue;
    found.push_back({id, node.region, healthy(node)});
  }
  return found;
}

std::optional<rollout::TargetNode> Fleet::node(const NodeId& id) const {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return std::nullopt;
  return rollout::TargetNode{id, found->second.region, healthy(found->second)};
}

std::vector<NodeId> Fleet::known() const {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  return ids;
}

std::vector<NodeStatus> Fleet::status() const {
  std::vector<NodeStatus> all;
  for (const auto& [id, node] : nodes_) {
    NodeStatus status{.nodeId = id,
                      .region = node.region,
                      .healthy = healthy(node),
                      .desiredRevision = publication_.revision(node.region),
                      .lastReportAt = node.reported_at};
    if (const auto view = reports_.find(id); view != reports_.end()) {
      status.routedRevision = view->second.report.routedRevision;
      for (const auto& version : view->second.report.versions) {
        const bool ready = version.state == VersionState::Ready;
        const bool failed = version.state == VersionState::Failed;
        ++(ready ? status.versionsReady : failed ? status.versionsFailed : status.versionsPreparing);
      }
    }
    all.push_back(std::move(status));
  }
  return all;
}

void Fleet::update_gauges() {
  count_.set(static_cast<double>(nodes_.size()));
  healthy_.set(
      static_cast<double>(std::ranges::count_if(nodes_, [this](const auto& entry) { return healthy(entry.second); })));
}

}  // namespace hotswap::control
