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

rollout::Samples Fleet::samples(const SampleQuestion& question) const {
  auto samples = figures_.samples(question);
  for (const auto& [id, report] : reports_) {
    if (std::ranges::find(question.regions, report.region) == question.regions.end()) continue;
    for (const auto& shadowed : report.shadowExamples) {
      if (shadowed.moduleId != question.candidate || shadowed.tenant != question.tenant) continue;
      for (const auto& example : shadowed.examples) {
        keep_example(samples.shadow.examples, {.nodeId = id,
                                               .request = shortened(example.request),
                                               .differs = shortened(example.differs),
                                               .live = shortened(example.live),
                                               .shadow = shortened(example.shadow),
                                               .liveMs = example.liveMs,
                                               .shadowMs = example.shadowMs,
                                               .traceId = shortened(example.traceId)});
      }
    }
  }
  return samples;
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

std::vector<rollout::TargetNode> Fleet::nodes(const std::vector<Region>& regions) const {
  std::vector<rollout::TargetNode> found;
  for (const auto& [id, node] : nodes_) {
    if (std::ranges::find(regions, node.region) == regions.end()) continue;
    found.push_back({id, node.region, deployable(id, node)});
  }
  return found;
}

std::vector<rollout::TargetNode> Fleet::nodes(const std::vector<Region>& regions, const RouteKey& key) const {
  auto found = nodes(regions);
  for (const auto& region : regions) {
    const auto placed = placed_nodes(region);
    std::erase_if(found, [&](const rollout::TargetNode& node) {
      return node.region == region && !states_.holds(node.id, region, key, placed);
    });
  }
  return found;
}

std::optional<rollout::TargetNode> Fleet::node(const NodeId& id) const {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return std::nullopt;
  return rollout::TargetNode{id, found->second.region, deployable(id, found->second)};
}

std::optional<NodeCondition> Fleet::condition(const NodeId& id) const {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return std::nullopt;
  return condition(found->second);
}

std::vector<NodeId> Fleet::known() const {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  return ids;
}

std::optional<std::uint64_t> Fleet::artifact_size(const NodeId& id, const Digest& digest) {
  const auto node = nodes_.find(id);
  if (node == nodes_.end()) return std::nullopt;
  const auto state = states_.state(id, node->second.region);
  const auto found = std::ranges::find(state->versions, digest, &DesiredVersion::digest);
  if (found == state->versions.end()) return std::nullopt;
  return found->sizeBytes;
}

NodeStatus Fleet::status_of(const TenantId& tenant, const NodeId& id, const Node& node) const {
  NodeStatus status;
  status.nodeId = id;
  status.region = node.region;
  status.lastHeartbeat = node.reported_at;
  status.condition = condition(node);
  status.desiredRevision = states_.revision(id, node.region);
  if (const NodeRecord* record = registry_.find(id)) {
    const NodeDescription& about = record->node;
    status.hostname = about.hostname;
    status.port = about.port;
    status.zone = about.zone;
    status.runtime = about.runtime;
    status.runtimeVersion = about.runtimeVersion;
    status.wasiVersion = about.wasiVersion;
    status.capabilities = about.capabilities;
    status.maxModules = about.maxModules;
    status.hardware = about.hardware;
    status.startedAt = about.startedAt;
    status.registeredAt = record->registeredAt;
    status.isEnabled = record->isEnabled;
    status.draining = record->draining;
    for (const auto& pin : record->pins) {
      if (pin.tenant == tenant) status.pinnedModules.push_back(pin.moduleId);
    }
  }
  if (const auto view = reports_.find(id); view != reports_.end()) {
    const NodeReport& report = view->second;
    status.routedRevision = report.routedRevision;
    status.health = report.health.value_or(NodeHealth{});
    status.metrics = report.metrics.value_or(NodeMetrics{});
    for (const auto& version : report.versions) {
      const bool ready = version.state == VersionState::Ready;
      const bool failed = version.state == VersionState::Failed;
      ++(ready ? status.versionsReady : failed ? status.versionsFailed : status.versionsPreparing);
      if (ready && version.tenant == tenant) status.deployedModules.push_back(version.moduleId);
    }
  }
  status.health.isHealthy = status.condition == NodeCondition::Healthy;
  return status;
}

std::vector<NodeStatus> Fleet::status(const TenantId& tenant) const {
  std::vector<NodeStatus> all;
  for (const auto& [id, node] : nodes_) all.push_back(status_of(tenant, id, node));
  return all;
}

Result<NodeStatus> Fleet::status(const TenantId& tenant, const NodeId& id) const {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return fail(ErrorKind::kNotFound, fmt::format("there is no node {}", id.str()));
  return status_of(tenant, id, found->second);
}

// A node that drains serves on until its copies are elsewhere. `routed`: whether the node's region routes it.
bool Fleet::serves(const NodeId& id, const Node& node, const Wanted& wanted, bool& routed) const {
  if (wanted.region && *wanted.region != node.region) return false;
  std::vector<ModuleId> accepted;
  if (wanted.version) {
    accepted = {*wanted.version};
  } else if (const auto* route = publication_.route(wanted.tenant, wanted.name.value_or(""), node.region)) {
    for (const auto& version : versions_on(route->route, id)) accepted.push_back(version.moduleId);
  }
  if (!wanted.version && !accepted.empty()) routed = true;
  const auto now = condition(node);
  if (now == NodeCondition::Unknown || now == NodeCondition::Unhealthy) return false;
  const auto view = reports_.find(id);
  if (view == reports_.end() || registry_.find(id) == nullptr) return false;
  return std::ranges::any_of(view->second.versions, [&](const VersionReport& version) {
    return version.state == VersionState::Ready && version.tenant == wanted.tenant &&
           std::ranges::find(accepted, version.moduleId) != accepted.end();
  });
}

Result<std::vector<Peer>> Fleet::serving(const Wanted& wanted) {
  constexpr std::size_t kAnswersKept = 4096;
  if (const auto known = serving_.find(wanted); known != serving_.end()) return known->second;
  std::vector<Peer> peers;
  std::vector<Peer> leaving;
  bool routed = false;
  for (const auto& [id, node] : nodes_) {
    if (!serves(id, node, wanted, routed)) continue;
    auto& list = node.leaving ? leaving : peers;
    list.push_back({id, gateway_origin(registry_.find(id)->node), forward_key(id)});
  }
  if (peers.empty()) peers = std::move(leaving);  // better than none
  if (peers.empty()) {
    const std::string what = wanted.version ? wanted.version->str() : wanted.name.value_or("");
    const std::string where = wanted.region ? " in region " + wanted.region->str() : std::string();
    if (routed) return fail(ErrorKind::kUnavailable, fmt::format("no node is ready to serve {}{}", what, where));
    return fail(ErrorKind::kNotFound, fmt::format("no version of {} is deployed{}; deploy one first", what, where));
  }
  if (serving_.size() >= kAnswersKept) serving_.clear();
  serving_.emplace(wanted, peers);
  return peers;
}

scaling::Figures Fleet::figures(const Region& region) const {
  const auto setting = std::ranges::find(options_.regions, region, &RegionSetting::region);
  const bool everywhere = setting == options_.regions.end() || setting->replicas == 0;
  scaling::Figures figures;
  double cpu = 0;
  double modules = 0;
  int reporting = 0;
  for (const auto& [id, node] : nodes_) {
    const NodeRecord* record = registry_.find(id);
    if (node.region != region || condition(node) == NodeCondition::Unhealthy || record == nullptr ||
        !record->isEnabled || record->draining) {
      continue;
    }
    ++figures.nodes;
    const auto view = reports_.find(id);
    if (view == reports_.end() || !view->second.health) continue;
    ++reporting;
    cpu += view->second.health->processCpuPercent.value_or(view->second.health->cpuUsagePercent);
    modules +=
        static_cast<double>(std::ranges::count(view->second.versions, VersionState::Ready, &VersionReport::state));
  }
  if (reporting == 0) return figures;
  figures.cpu = cpu / reporting;
  // Where every node holds everything, one node more would hold as many; where some are yet to report, nobody knows.
  if (!everywhere && reporting == figures.nodes) figures.modules = modules / reporting;
  return figures;
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

void Fleet::update_gauges() {
  unplaced_.set(static_cast<double>(states_.unplaced()));
  count_.set(static_cast<double>(nodes_.size()));
  healthy_.set(static_cast<double>(std::ranges::count_if(
      nodes_, [this](const auto& entry) { return condition(entry.second) == NodeCondition::Healthy; })));
}

}  // namespace hotswap::control
