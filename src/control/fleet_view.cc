// What others ask of the fleet: which nodes a rollout may count on, what each node is and does, who serves a request.
#include <fmt/format.h>

#include <algorithm>

#include "control/fleet.h"

namespace hotswap::control {

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

std::vector<std::string> Fleet::lacking(const NodeId& id, const Module& module) const {
  const NodeRecord* record = registry_.find(id);
  return record == nullptr ? std::vector<std::string>() : hotswap::lacking(record->node, module);
}

std::vector<NodeId> Fleet::known() const {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  return ids;
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

void Fleet::update_gauges() {
  unplaced_.set(static_cast<double>(states_.unplaced()));
  count_.set(static_cast<double>(nodes_.size()));
  healthy_.set(static_cast<double>(std::ranges::count_if(
      nodes_, [this](const auto& entry) { return condition(entry.second) == NodeCondition::Healthy; })));
}

}  // namespace hotswap::control
