#include "invariants.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/transition.h"

namespace hotswap::sim {
namespace {

std::string text(const Route* route) { return route == nullptr ? "nothing" : to_json_text(*route); }

const Route* find(const MemoryStore::Routes& routes, const std::string& name, const Region& region) {
  const auto found = routes.find({name, region});
  return found == routes.end() ? nullptr : &found->second;
}

void sums_to_100(const std::vector<WeightedVersion>& versions, const Route& route) {
  // A version that is tried at its preview address, where nothing is routed yet.
  if (versions.empty() && route.preview) return;
  int sum = 0;
  for (const auto& version : versions) {
    if (version.weight <= 0) throw Violation("a weight is not positive: " + to_json_text(route));
    sum += version.weight;
  }
  if (sum != 100) throw Violation("weights do not sum to 100: " + to_json_text(route));
}

void same(const MemoryStore::Routes& now, const MemoryStore::Routes& then, const std::string& name,
          const Region& region, std::string_view rule) {
  const Route* is = find(now, name, region);
  const Route* was = find(then, name, region);
  const bool equal = is == nullptr || was == nullptr ? is == was : *is == *was;
  if (!equal) throw Violation(fmt::format("{}: {} is {}, was {}", rule, region.str(), text(is), text(was)));
}

}  // namespace

void Invariants::changed(const MemoryStore::Routes& before, const DeploymentChange& change) {
  for (const auto& event : change.events) {
    const auto stage = event.detail.is_object() && event.detail.get_object().contains("stage")
                           ? " " + json::serialize(event.detail.at("stage"))
                           : std::string();
    world_.note(
        fmt::format("{} {} by {}{}", change.deployment.deploymentId.str(), enum_name(event.type), event.by, stage));
  }
  weights(change);
  region_lock(change);
  readiness(before, change);
  outcome(before, change);
  replay();
}

void Invariants::weights(const DeploymentChange& change) const {
  for (const auto& route : change.putRoutes) {
    const bool only_preview = route.versions.empty() && route.preview;
    if (!only_preview) sums_to_100(route.versions, route);
    for (const auto& part : route.onNodes) sums_to_100(part.versions, route);
  }
}

void Invariants::region_lock(const DeploymentChange& change) const {
  const auto check = [&](const Route& route) {
    if (contains(change.deployment.targetRegions, route.region)) return;
    throw Violation(fmt::format("{} touched region {}, which is not its target", change.deployment.deploymentId.str(),
                                route.region.str()));
  };
  for (const auto& route : change.putRoutes) check(route);
  for (const auto& route : change.dropRoutes) check(route);
}

// The control plane cannot know what happened after the last thing that a node said.
bool Invariants::excused(const Node& node) const {
  const auto heard = control_.heard_last(node.id());
  return !node.up() || !heard || node.started() >= *heard || control_.lost(node.id());
}

// One that began anew or was out of reach meanwhile comes to what stands by and by.
bool Invariants::was_away(const Node& node, const DeploymentId& id) const {
  const auto executed = executed_at_.find(id);
  return executed != executed_at_.end() &&
         (node.started() > executed->second || world_.was_cut(node.id(), executed->second));
}

void Invariants::note_lacking(const Deployment& deployment) {
  auto& lacking = lacked_[deployment.deploymentId];
  for (const auto& node : nodes_) {
    for (const auto& route : deployment.routesBefore) {
      for (const auto& version : versions_of(route)) {
        if (!node->ready(version)) lacking.emplace(node->id(), version);
      }
    }
  }
}

bool Invariants::lacked(const Node& node, const Deployment& deployment, const ModuleId& version) const {
  const auto found = lacked_.find(deployment.deploymentId);
  return found != lacked_.end() && found->second.contains({node.id(), version});
}

// No route leads to a version that is not ready there. The way back waits for nobody who was away: it must be quick,
// and they have lost the version that they come from as well.
void Invariants::readiness(const MemoryStore::Routes& before, const DeploymentChange& change) const {
  const Deployment& deployment = change.deployment;
  const auto planned = [&](const NodeId& node) {
    return std::ranges::any_of(deployment.plan, [&](const Step& step) { return contains(step.nodes, node); });
  };
  for (const auto& route : change.putRoutes) {
    const Route* was = find(before, route.name, route.region);
    for (const auto& node : nodes_) {
      if (node->region() != route.region || excused(*node) || !planned(node->id())) continue;
      if (finished(deployment.status) && was_away(*node, deployment.deploymentId)) continue;
      for (const auto& version : versions_on(route, node->id())) {
        const bool new_here =
            was == nullptr || !contains(versions_on(*was, node->id()), version.moduleId, &WeightedVersion::moduleId);
        if (!new_here || node->ready(version.moduleId)) continue;
        // Going back cannot give a node what it did not have before either.
        if (finished(deployment.status) && lacked(*node, deployment, version.moduleId)) continue;
        throw Violation(fmt::format("{} routes {} to {}, which is not ready there", deployment.deploymentId.str(),
                                    node->id().str(), version.moduleId.str()));
      }
    }
  }
}

void Invariants::completed(const Deployment& deployment) const {
  for (const auto& region : deployment.targetRegions) {
    const Route* route = find(store_.routes(), deployment.moduleName, region);
    const bool everything = route != nullptr && route->onNodes.empty() && route->versions.size() == 1 &&
                            route->versions.front() == WeightedVersion{deployment.moduleId, 100};
    if (!everything) {
      throw Violation(
          fmt::format("{} is Completed, but {} routes {}", deployment.deploymentId.str(), region.str(), text(route)));
    }
    for (const auto& node : nodes_) {
      if (node->region() != region || excused(*node) || was_away(*node, deployment.deploymentId)) continue;
      const auto* serves = node->serves(deployment.moduleName);
      const bool does = serves != nullptr && serves->size() == 1 && serves->front().moduleId == deployment.moduleId;
      const bool planned =
          std::ranges::any_of(deployment.plan, [&](const Step& step) { return contains(step.nodes, node->id()); });
      if (planned && !does) {
        throw Violation(fmt::format("{} is Completed, but {} does not serve its version", deployment.deploymentId.str(),
                                    node->id().str()));
      }
    }
  }
}

void Invariants::outcome(const MemoryStore::Routes& before, const DeploymentChange& change) {
  const Deployment& deployment = change.deployment;
  const DeploymentId& id = deployment.deploymentId;
  for (const auto& event : change.events) {
    const auto* from_failed = event.detail.is_object() ? event.detail.get_object().if_contains("from") : nullptr;
    // A retry of a failed deployment returns to where the first try began.
    if (event.type == EventType::DeploymentRetried && from_failed != nullptr && *from_failed != "Failed" &&
        *from_failed != "Paused") {
      at_start_.erase(id);
    }
    if (event.type == EventType::DeploymentStarted) {
      at_start_.emplace(id, before);
      executed_at_[id] = world_.now();
      note_lacking(deployment);
    }
    if (event.type == EventType::DeploymentCompleted) completed(deployment);
    if (event.type == EventType::DeploymentRolledBack && at_start_.contains(id)) {
      // One that never touched a route leaves to others what they did since.
      const auto& then = control::changed_routes(deployment) ? at_start_.at(id) : before;
      for (const auto& region : deployment.targetRegions) {
        same(store_.routes(), then, deployment.moduleName, region, id.str() + " is RolledBack");
      }
    }
    if (event.type == EventType::DeploymentFailed && deployment.status == DeploymentStatus::Failed) {
      const auto* regions = event.detail.get_object().if_contains("rolledBackRegions");
      for (const auto& region : deployment.targetRegions) {
        const bool returned = regions != nullptr && contains(regions->get_array(), to_json(region));
        same(store_.routes(), returned ? at_start_.at(id) : before, deployment.moduleName, region,
             id.str() + (returned ? " returned a region" : " failed and left a region"));
      }
    }
  }
}

// Events are gap-free, and what they say adds up to what stands.
void Invariants::replay() {
  const auto& events = store_.events();
  for (; events_replayed_ < events.size(); ++events_replayed_) {
    const Event& event = events[events_replayed_];
    if (event.sequence != static_cast<std::int64_t>(events_replayed_) + 1) {
      throw Violation(fmt::format("event {} has the sequence {}", events_replayed_ + 1, event.sequence));
    }
    if (event.type != EventType::RoutesChanged) continue;
    const std::string name = store_.deployment(event.deploymentId).deployment.moduleName;
    const auto& detail = event.detail.get_object();
    for (const auto& route : from_json<std::vector<Route>>(detail.at("routes")).value()) {
      replayed_[{route.name, route.region}] = route;
    }
    const auto* dropped = detail.if_contains("droppedRegions");
    if (dropped == nullptr) continue;
    for (const auto& region : from_json<std::vector<Region>>(*dropped).value()) replayed_.erase({name, region});
  }
  if (replayed_ != store_.routes()) throw Violation("the events do not add up to the routes");
}

// A request to a live node that has served a name since its start finds a version that is there.
void Invariants::always() const {
  for (const auto& node : nodes_) {
    if (!node->up()) continue;
    for (const auto& route : node->desired().routes) {
      const auto* serves = node->serves(route.name);
      if (serves != nullptr && serves->empty()) {
        throw Violation(fmt::format("{} serves {} with nothing", node->id().str(), route.name));
      }
    }
  }
}

void Invariants::at_the_end() const {
  for (const auto& [id, stored] : store_.deployments()) {
    if (finished(stored.deployment.status) || stored.deployment.status == DeploymentStatus::Pending) continue;
    throw Violation(fmt::format("{} is still {} at step {} of {}", id.str(), enum_name(stored.deployment.status),
                                stored.deployment.step, stored.deployment.plan.size()));
  }
  for (const auto& node : nodes_) {
    for (const auto& [key, route] : store_.routes()) {
      if (route.region != node->region()) continue;
      const auto& wanted = versions_on(route, node->id());
      // What a node failed to prepare, or never ends preparing, it cannot serve.
      const bool can = std::ranges::all_of(wanted, [&](const auto& version) { return node->ready(version.moduleId); });
      const auto* serves = node->serves(route.name);
      if (!can || (serves != nullptr && *serves == wanted)) continue;
      throw Violation(fmt::format("{} does not serve {} as {} in the end", node->id().str(), route.name, text(&route)));
    }
  }
}

}  // namespace hotswap::sim
