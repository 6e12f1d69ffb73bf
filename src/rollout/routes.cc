#include "rollout/routes.h"

#include <algorithm>

namespace hotswap::rollout {
namespace {

// Shares `total` percent among `before` by their weights; the heaviest takes what rounding leaves.
std::vector<WeightedVersion> share(std::vector<WeightedVersion> before, int total) {
  int sum = 0;
  for (const auto& version : before) sum += version.weight;
  if (sum == 0) return {};
  int given = 0;
  for (auto& version : before) {
    version.weight = version.weight * total / sum;
    given += version.weight;
  }
  std::ranges::max_element(before, {}, &WeightedVersion::weight)->weight += total - given;
  std::erase_if(before, [](const WeightedVersion& version) { return version.weight == 0; });
  return before;
}

const Route* before(const Deployment& deployment, const Region& region) {
  const auto found = std::ranges::find(deployment.routesBefore, region, &Route::region);
  // One that a preview left behind routes nothing.
  return found == deployment.routesBefore.end() || found->versions.empty() ? nullptr : &*found;
}

std::vector<WeightedVersion> weighed(const Deployment& deployment, const std::vector<WeightedVersion>& were,
                                     int weight) {
  std::vector<WeightedVersion> others = were;
  std::erase_if(others, [&](const WeightedVersion& version) { return version.moduleId == deployment.moduleId; });
  others = share(std::move(others), 100 - weight);
  int left = 100;
  for (const auto& version : others) left -= version.weight;
  std::vector<WeightedVersion> versions;
  if (left > 0) versions.push_back({deployment.moduleId, left});
  versions.insert(versions.end(), others.begin(), others.end());
  return versions;
}

Route unrouted(const TenantId& tenant, const Deployment& deployment, const Region& region) {
  return {.tenant = tenant, .name = deployment.moduleName, .region = region, .versions = {}, .http = deployment.http};
}

Route shifted(const TenantId& tenant, const Deployment& deployment, const Region& region, const Step& step) {
  Route route = unrouted(tenant, deployment, region);
  const Route* was = before(deployment, region);
  const bool in_part = was != nullptr && step.onNodes.has_value();
  route.versions =
      in_part ? was->versions
              : weighed(deployment, was == nullptr ? std::vector<WeightedVersion>{} : was->versions, step.weight);
  if (in_part) {
    route.onNodes.push_back({*step.onNodes, weighed(deployment, was->versions, step.weight)});
  }
  route.sticky = step.sticky;
  return route;
}

}  // namespace

std::vector<Route> changed(const TenantId& tenant, const Deployment& deployment, const Step& step) {
  std::vector<Route> routes;
  for (const auto& region : step.regions) {
    if (step.kind == StepKind::Shift) {
      routes.push_back(shifted(tenant, deployment, region, step));
      continue;
    }
    const Route* was = before(deployment, region);
    if (was == nullptr && !step.preview) continue;
    Route route = was != nullptr ? *was : unrouted(tenant, deployment, region);
    if (step.preview) route.preview = Preview{.moduleId = deployment.moduleId, .http = *step.preview};
    if (step.shadow) {
      route.shadow = ShadowRule{.moduleId = deployment.moduleId,
                                .percent = step.weight,
                                .ignorePaths = step.shadow->ignorePaths,
                                .allowOutbound = step.shadow->allowOutbound};
    }
    routes.push_back(std::move(route));
  }
  return routes;
}

RouteChange back(const TenantId& tenant, const Deployment& deployment, const std::vector<Region>& regions) {
  const auto asked = [&regions](const Region& region) {
    return regions.empty() || std::ranges::find(regions, region) != regions.end();
  };
  RouteChange change;
  for (const auto& route : deployment.routesBefore) {
    if (asked(route.region)) change.put.push_back(route);
  }
  for (const auto& region : deployment.regionsWithoutRouteBefore) {
    if (!asked(region)) continue;
    change.drop.push_back(unrouted(tenant, deployment, region));
  }
  return change;
}

std::vector<Route> all_to(const TenantId& tenant, const Deployment& deployment, const ModuleId& version) {
  std::vector<Route> routes;
  for (const auto& region : deployment.targetRegions) {
    routes.push_back({.tenant = tenant,
                      .name = deployment.moduleName,
                      .region = region,
                      .versions = {{version, 100}},
                      .http = deployment.http});
  }
  return routes;
}

}  // namespace hotswap::rollout
