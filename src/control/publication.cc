#include "control/publication.h"

#include <boost/algorithm/string/predicate.hpp>

#include <algorithm>
#include <set>

#include "rollout/decide.h"

namespace hotswap::control {

SharedVersion desired_version(const TenantId& tenant, const Module& module) {
  return std::make_shared<const DesiredVersion>(DesiredVersion{.tenant = tenant,
                                                               .moduleId = module.moduleId,
                                                               .name = module.name,
                                                               .digest = module.checksum,
                                                               .sizeBytes = module.sizeBytes,
                                                               .kind = module.kind,
                                                               .httpHandler = module.httpHandler.has_value(),
                                                               .limits = module.limits,
                                                               .healthCheck = std::nullopt});
}

Publication::Publication(std::int64_t first_revision, std::vector<Region> regions) : revision_(first_revision) {
  for (auto& region : regions) regions_[std::move(region)].revision = first_revision;
}

void Publication::touch(const Region& region) {
  const auto found = regions_.find(region);
  if (found == regions_.end()) return;
  found->second.revision = revision_;
  found->second.built.reset();
}

std::int64_t Publication::apply(Change change) {
  ++revision_;
  for (const auto& route : change.drop) {
    const auto region = regions_.find(route.region);
    if (region != regions_.end()) region->second.routes.erase({route.tenant, route.name});
    touch(route.region);
  }
  for (auto& routed : change.put) {
    const Region region = routed.route.region;
    RouteKey key{routed.route.tenant, routed.route.name};
    // A region that is no longer configured keeps its routes in the store, for when it comes back.
    if (const auto found = regions_.find(region); found != regions_.end()) {
      found->second.routes.insert_or_assign(std::move(key), std::move(routed));
    }
    touch(region);
  }
  for (auto& [key, hold] : change.hold) {
    for (const auto& region : hold.regions) touch(region);
    holds_.insert_or_assign(key, std::move(hold));
  }
  for (const auto& key : change.release) {
    const auto held = holds_.find(key);
    if (held == holds_.end()) continue;
    for (const auto& region : held->second.regions) touch(region);
    holds_.erase(held);
  }
  return revision_;
}

bool Publication::claim(std::int64_t revision) {
  if (revision <= revision_) return false;
  revision_ = lifted_ = revision + 1;
  for (auto& [name, region] : regions_) touch(name);
  return true;
}

void Publication::set_fallback(const Region& region, std::vector<Peer> peers) {
  RegionState& state = regions_.at(region);
  if (state.fallback == peers) return;
  state.fallback = std::move(peers);
  state.fallback_revision = ++revision_;
  touch(region);
}

std::shared_ptr<const DesiredState> Publication::state(const Region& region) {
  RegionState& state = regions_.at(region);
  if (state.built) return state.built;
  auto built = std::make_shared<DesiredState>();
  built->revision = state.revision;
  built->fallback = state.fallback;
  built->routes.reserve(state.routes.size());
  std::set<std::pair<std::string_view, std::string_view>> listed;
  const auto list = [&](const SharedVersion& version) {
    if (listed.emplace(version->tenant.str(), version->moduleId.str()).second) built->versions.push_back(*version);
  };
  // What a rollout holds comes first: it says how the version is checked, which a route's does not.
  for (const auto& [key, hold] : holds_) {
    if (std::ranges::find(hold.regions, region) == hold.regions.end()) continue;
    for (const auto& version : hold.versions) {
      if (version->healthCheck || version->checkNumber != 0) list(version);
    }
  }
  for (const auto& [key, routed] : state.routes) {
    for (const auto& version : routed.versions) list(version);
    built->routes.push_back(routed.route);
  }
  for (const auto& [key, hold] : holds_) {
    if (std::ranges::find(hold.regions, region) == hold.regions.end()) continue;
    for (const auto& version : hold.versions) list(version);
  }
  state.built = std::move(built);
  return state.built;
}

bool Publication::holds(const Region& region) const {
  return std::ranges::any_of(holds_, [&region](const auto& entry) {
    return std::ranges::find(entry.second.regions, region) != entry.second.regions.end();
  });
}

bool Publication::holds(const Region& region, const RouteKey& key) const {
  return std::ranges::any_of(holds_, [&](const auto& entry) {
    const Hold& hold = entry.second;
    return std::ranges::find(hold.regions, region) != hold.regions.end() &&
           std::ranges::any_of(hold.versions, [&](const SharedVersion& version) {
             return version->tenant == key.tenant && version->name == key.name;
           });
  });
}

std::set<RouteKey> Publication::held(const Region& region) const {
  std::set<RouteKey> names;
  for (const auto& [key, hold] : holds_) {
    if (std::ranges::find(hold.regions, region) == hold.regions.end()) continue;
    for (const auto& version : hold.versions) names.insert({version->tenant, version->name});
  }
  return names;
}

const RoutedVersions* Publication::route(const TenantId& tenant, const std::string& name, const Region& region) const {
  const auto state = regions_.find(region);
  if (state == regions_.end()) return nullptr;
  const auto found = state->second.routes.find({tenant, name});
  return found == state->second.routes.end() ? nullptr : &found->second;
}

std::size_t Publication::route_count(const Region& region) const {
  const auto state = regions_.find(region);
  return state == regions_.end() ? 0 : state->second.routes.size();
}

const Route* Publication::bound_elsewhere(const Route& route) const {
  const auto state = regions_.find(route.region);
  if (state == regions_.end()) return nullptr;
  for (const auto& [key, routed] : state->second.routes) {
    if (key == RouteKey{route.tenant, route.name}) continue;
    const auto taken = [&route](const HttpBinding& other) {
      const bool same_host = boost::algorithm::iequals(other.host.value_or(""), route.http.host.value_or(""));
      return same_host && other.pathPrefix == route.http.pathPrefix;
    };
    if (taken(routed.route.http) || (routed.route.preview && taken(routed.route.preview->http))) return &routed.route;
  }
  return nullptr;
}

std::optional<std::int64_t> ask_for_check(Publication& publication, const Deployment& deployment,
                                          std::vector<SharedVersion>& versions) {
  if (!rollout::checks(deployment)) return std::nullopt;
  const std::int64_t number = publication.next_revision();
  for (auto& version : versions) {
    if (version->moduleId != deployment.moduleId) continue;
    auto asked = std::make_shared<DesiredVersion>(*version);
    asked->checkNumber = number;
    version = std::move(asked);
  }
  return number;
}

Publication::Change publication_change(const DeploymentChange& change, const std::vector<SharedVersion>& versions) {
  Publication::Change made;
  made.drop = change.dropRoutes;
  for (const auto& route : change.putRoutes) {
    RoutedVersions routed{.route = route, .versions = {}};
    for (const auto& id : versions_of(route)) {
      const auto found =
          std::ranges::find(versions, id, [](const SharedVersion& version) { return version->moduleId; });
      if (found == versions.end()) continue;
      auto plain = std::make_shared<DesiredVersion>(**found);
      plain->healthCheck.reset();
      plain->checkNumber = 0;
      routed.versions.push_back(std::move(plain));
    }
    made.put.push_back(std::move(routed));
  }
  const Deployment& deployment = change.deployment;
  const std::string key = deployment.deploymentId.str();
  if (finished(deployment.status) || deployment.status == DeploymentStatus::Pending) {
    made.release.push_back(key);
  } else {
    made.hold[key] = {.regions = deployment.targetRegions, .versions = versions};
  }
  return made;
}

}  // namespace hotswap::control
