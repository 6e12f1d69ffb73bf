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

Route shifted_route(const TenantId& tenant, const Deployment& deployment, const Region& region, int weight) {
  Route route{
      .tenant = tenant, .name = deployment.moduleName, .region = region, .versions = {}, .http = deployment.http};
  const auto before = std::ranges::find(deployment.routesBefore, region, &Route::region);
  std::vector<WeightedVersion> others;
  if (before != deployment.routesBefore.end()) {
    others = before->versions;
    std::erase_if(others, [&](const WeightedVersion& version) { return version.moduleId == deployment.moduleId; });
    others = share(std::move(others), 100 - weight);
  }
  route.versions.push_back({deployment.moduleId, others.empty() ? 100 : weight});
  route.versions.insert(route.versions.end(), others.begin(), others.end());
  std::erase_if(route.versions, [](const WeightedVersion& version) { return version.weight == 0; });
  return route;
}

}  // namespace

std::vector<Route> shift(const TenantId& tenant, const Deployment& deployment, const Step& step) {
  std::vector<Route> routes;
  for (const auto& region : step.regions) routes.push_back(shifted_route(tenant, deployment, region, step.weight));
  return routes;
}

RouteChange back(const TenantId& tenant, const Deployment& deployment) {
  RouteChange change{.put = deployment.routesBefore, .drop = {}};
  for (const auto& region : deployment.regionsWithoutRouteBefore) {
    change.drop.push_back(
        {.tenant = tenant, .name = deployment.moduleName, .region = region, .versions = {}, .http = {}});
  }
  return change;
}

}  // namespace hotswap::rollout
