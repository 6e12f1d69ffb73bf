#include "control/fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "model/text_rules.h"

namespace hotswap::control {
namespace {

constexpr std::chrono::milliseconds kWatchInterval{500};

std::unexpected<Error> stopping() { return fail(ErrorKind::kUnavailable, "the control plane is stopping"); }

}  // namespace

Fleet::Fleet(asio::any_io_executor home, const Options& options, Publication& publication, const NodeRegistry& registry,
             Signal& reported, const Clock& clock, Metrics& metrics)
    : home_(home),
      options_(options),
      publication_(publication),
      registry_(registry),
      reported_(reported),
      clock_(clock),
      metrics_(metrics),
      changed_(home),
      stopped_(std::move(home)),
      states_(options, publication, registry),
      count_(metrics.gauge("wasm.edge_nodes.count", "Nodes that are registered, or were heard of since the start")),
      healthy_(metrics.gauge("wasm.edge_nodes.healthy", "Nodes that report as they should")),
      unplaced_(metrics.gauge("wasm.modules.unplaced", "Modules that are on fewer nodes than they should be")) {}

NodeCondition Fleet::condition(const Node& node) const {
  const auto by_reports = node.liveness.condition(clock_.steady(), options_.liveness);
  return node.leaving && by_reports != NodeCondition::Unhealthy ? NodeCondition::Leaving : by_reports;
}

// Whether a rollout may count on the node.
bool Fleet::deployable(const NodeId& id, const Node& node) const {
  if (condition(node) != NodeCondition::Healthy) return false;
  const NodeRecord* record = registry_.find(id);
  return record == nullptr || (record->isEnabled && !record->draining);
}

Fleet::Node& Fleet::add(const NodeId& id, Region region) {
  const auto [at, added] = nodes_.try_emplace(id, clock_.steady());
  placement_due_ = placement_due_ || added;
  Node& node = at->second;
  node.region = std::move(region);
  if (node.versions == nullptr) {
    node.versions =
        &metrics_.gauge("wasm.modules.deployed.per_node", "Versions that the node reports ready", {{"node", id.str()}});
  }
  return node;
}

void Fleet::expect_registered() {
  for (const auto& [id, record] : registry_.nodes()) {
    if (publication_.knows(record.node.region)) add(id, record.node.region);
  }
}

Result<Fleet::Node*> Fleet::hear(const NodeId& id, const Region& region) {
  if (auto problem = node_name_problem(id.str()); !problem.empty()) {
    return fail_fields({{"nodeId", std::move(problem)}});
  }
  const auto found = nodes_.find(id);
  Region in = region;
  if (in.empty() && found != nodes_.end()) in = found->second.region;
  if (const NodeRecord* record = registry_.find(id); in.empty() && record != nullptr) in = record->node.region;
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
  return &add(id, std::move(in));
}

// What a node reported in an earlier life is no longer true.
void Fleet::reborn(const NodeId& id, Node& node, const std::string& incarnation) {
  if (incarnation.empty() || incarnation == node.incarnation) return;
  if (!node.incarnation.empty()) reports_.erase(id);
  node.leaving = false;
  node.incarnation = incarnation;
}

// Takes no reference: a node that is removed meanwhile ends its poll.
Task<void> Fleet::wait_for_change(NodeId id, std::int64_t after) {
  const auto until = std::chrono::steady_clock::now() + limits::kLongPoll;
  while (!stopping_ && std::chrono::steady_clock::now() < until) {
    const auto found = nodes_.find(id);
    if (found == nodes_.end() || states_.revision(id, found->second.region) != after) co_return;
    const auto seen = changed_.count();
    co_await changed_.wait(seen, until);
  }
}

Task<Result<Fleet::Polled>> Fleet::poll(Poll poll) {
  if (stopping_) co_return stopping();
  const auto known = nodes_.find(poll.node);
  const bool first = known == nodes_.end() || known->second.given == nullptr;
  HS_CO_TRY(Node * node, hear(poll.node, poll.region));
  reborn(poll.node, *node, poll.incarnation);
  // A node that has nothing has just been started.
  if (poll.after == 0) reports_.erase(poll.node);
  // Whatever an unknown node has was given by an earlier process: a number that happens to be the same means nothing.
  bool lifted = first && poll.after == states_.revision(poll.node, node->region) &&
                publication_.claim(publication_.revision() + 1);
  lifted = publication_.claim(poll.after) || lifted;
  if (lifted) {
    published();
    reported_.notify();
  } else if (first) {
    // What it shall hold was decided with the fleet's, unless something happened since.
    if (placement_due_) place();
    reported_.notify();
  }
  co_await wait_for_change(poll.node, poll.after);
  if (stopping_) co_return stopping();
  const auto found = nodes_.find(poll.node);
  if (found == nodes_.end()) {
    co_return fail(ErrorKind::kNotFound, fmt::format("node {} was removed", poll.node.str()));
  }
  node = &found->second;
  Polled polled{.before = node->given, .now = states_.state(poll.node, node->region)};
  if (polled.before != nullptr && polled.before->revision != poll.after) polled.before = nullptr;
  node->given = polled.now;
  co_return polled;
}

Result<ReportReply> Fleet::report(NodeReport report) {
  if (stopping_) return stopping();
  if (report.region.empty()) return fail_fields({{"region", "is required"}});
  HS_TRY(Node * node, hear(report.nodeId, report.region));
  const auto in_rollout = publication_.held(node->region);
  const NodeId id = report.nodeId;
  std::vector<VersionMetrics> windows;
  if (const auto last = reports_.find(id); last != reports_.end()) windows = counted_between(last->second, report);
  reborn(id, *node, report.incarnation);
  const auto [at, first] = reports_.try_emplace(id);
  NodeReport& kept = at->second;
  const std::string key_before = kept.forwardKey;
  const auto differs = apply(kept, std::move(report));
  if (!differs) {
    if (first) reports_.erase(at);
    return std::unexpected(differs.error());
  }
  figures_.add(kept.region, windows, in_rollout, clock_.now());
  traffic_.add(kept.region, windows, clock_.steady());
  if (publication_.claim(kept.routedRevision)) published();
  const auto ready = std::ranges::count(kept.versions, VersionState::Ready, &VersionReport::state);
  node->versions->set(static_cast<double>(ready));
  node->reported_at = clock_.now();
  node->liveness.reported(clock_.steady(), !kept.health || kept.health->isHealthy, options_.liveness);
  if (first || *differs || kept.forwardKey != key_before) {
    serving_.clear();
    placement_due_ = true;
  }
  if (std::exchange(node->leaving, kept.leaving) != kept.leaving) {
    serving_.clear();
    place();
  }
  reported_.notify();
  if (kept.leaving) {
    const bool may_leave = released(id, node->region);
    return ReportReply{.nextReportMs = (may_leave ? options_.report_every : limits::kLeavingReport).count(),
                       .mayLeave = may_leave};
  }
  return ReportReply{.nextReportMs = pace(!in_rollout.empty()).count()};
}

std::chrono::milliseconds Fleet::pace(bool in_rollout) const {
  const std::chrono::milliseconds fast = options_.report_every_in_rollout;
  const std::chrono::milliseconds slow = options_.report_every;
  if (in_rollout) return fast;
  if (clock_.steady() >= traffic_watched_until_) return slow;
  return std::min(std::max(fast, limits::kTrafficWatchPerNode * static_cast<int>(nodes_.size())), slow);
}

std::vector<TrafficRow> Fleet::watched_traffic(const TenantId& tenant) {
  traffic_watched_until_ = clock_.steady() + limits::kTrafficWatched;
  return traffic_.rows(tenant);
}

Task<void> Fleet::watch() {
  while (!stopping_) {
    bool any = false;
    for (auto& [id, node] : nodes_) {
      const NodeCondition now = condition(node);
      if (now == node.condition) continue;
      const auto level = now == NodeCondition::Healthy ? log::Level::Info : log::Level::Warning;
      log::event(level, "node condition changed", "",
                 {{"nodeId", id.str()}, {"from", enum_name(node.condition)}, {"to", enum_name(now)}});
      node.condition = now;
      any = true;
    }
    if (any) {
      serving_.clear();
      reported_.notify();
    }
    if (any || placement_due_ || placed_registry_ != registry_.version()) place();
    co_await stopped_.wait(stopped_.count(), std::chrono::steady_clock::now() + kWatchInterval);
  }
}

void Fleet::published() {
  traffic_.forget_idle(clock_.steady());
  figures_.keep([this](const Region& region, const RouteKey& key) { return publication_.holds(region, key); });
  place();
  serving_.clear();
  changed_.notify();
}

std::vector<PlacedNode> Fleet::placed_nodes(const Region& region) const {
  std::vector<PlacedNode> nodes;
  for (const auto& [id, node] : nodes_) {
    if (node.region != region) continue;
    nodes.push_back({.id = id,
                     .alive = condition(node) != NodeCondition::Unhealthy,
                     .leaving = node.leaving,
                     .forward_key = forward_key(id)});
  }
  return nodes;
}

std::string Fleet::forward_key(const NodeId& id) const {
  const auto report = reports_.find(id);
  return report == reports_.end() ? "" : report->second.forwardKey;
}

bool Fleet::released(const NodeId& id, const Region& region) const {
  return states_.released(id, region, placed_nodes(region), [this](const NodeId& other) {
    const auto report = reports_.find(other);
    return report == reports_.end() ? 0 : report->second.routedRevision;
  });
}

bool Fleet::ready(const RoutedVersions& routed, const NodeId& id) const {
  const auto view = reports_.find(id);
  if (view == reports_.end()) return false;
  return std::ranges::all_of(versions_on(routed.route, id), [&](const WeightedVersion& wanted) {
    const auto* version = find_version(view->second, routed.route.tenant, wanted.moduleId);
    return version != nullptr && version->state == VersionState::Ready;
  });
}

void Fleet::place() {
  placement_due_ = false;
  placed_registry_ = registry_.version();
  bool changed = false;
  for (const auto& setting : options_.regions) {
    const Region& region = setting.region;
    // One module is asked about for several nodes in a row.
    RouteKey last;
    const RoutedVersions* routed = nullptr;
    const bool moved = states_.update(region, placed_nodes(region), [&](const RouteKey& key, const NodeId& node) {
      if (key != last) {
        last = key;
        routed = publication_.route(key.tenant, key.name, region);
      }
      return routed != nullptr && ready(*routed, node);
    });
    changed = changed || moved;
  }
  if (!changed) return;
  serving_.clear();
  changed_.notify();
}

void Fleet::forget(const NodeId& id) {
  nodes_.erase(id);
  reports_.erase(id);
  serving_.clear();
  placement_due_ = true;
  changed_.notify();
  reported_.notify();
}

void Fleet::stop() {
  stopping_ = true;
  changed_.notify();
  stopped_.notify();
}

std::optional<std::uint64_t> Fleet::artifact_size(const NodeId& id, const Digest& digest) {
  const auto node = nodes_.find(id);
  if (node == nodes_.end()) return std::nullopt;
  const auto state = states_.state(id, node->second.region);
  const auto found = std::ranges::find(state->versions, digest, &DesiredVersion::digest);
  if (found == state->versions.end()) return std::nullopt;
  return found->sizeBytes;
}

Result<bool> Fleet::drained(const NodeId& id) {
  if (stopping_) return stopping();
  const auto found = nodes_.find(id);
  const NodeRecord* record = registry_.find(id);
  if (found == nodes_.end() || record == nullptr) {
    return fail(ErrorKind::kNotFound, fmt::format("there is no node {}", id.str()));
  }
  if (!record->draining) return false;
  const Region& region = found->second.region;
  const auto is_pinned = [&](const auto& version) {
    return std::ranges::find(record->pins, Pin{version.tenant, version.moduleId}) != record->pins.end();
  };
  if (!std::ranges::all_of(states_.state(id, region)->versions, is_pinned)) return false;
  const auto view = reports_.find(id);
  if (view == reports_.end() || !std::ranges::all_of(view->second.versions, is_pinned)) return false;
  return std::ranges::all_of(nodes_, [&](const auto& entry) {
    const auto& [other, node] = entry;
    if (node.region != region || condition(node) == NodeCondition::Unhealthy) return true;
    const auto report = reports_.find(other);
    return report == reports_.end() || report->second.routedRevision >= states_.revision(other, region);
  });
}

}  // namespace hotswap::control
