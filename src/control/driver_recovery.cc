// What the store says: at the start, and after a change whose outcome is unknown.
#include <algorithm>

#include "base/log.h"
#include "control/driver.h"

namespace hotswap::control {
namespace {

using Versions = std::map<std::pair<TenantId, ModuleId>, SharedVersion>;

RoutedVersions with_versions(const Route& route, const Versions& versions) {
  RoutedVersions routed{.route = route, .versions = {}};
  for (const auto& id : versions_of(route)) {
    const auto found = versions.find({route.tenant, id});
    if (found != versions.end()) routed.versions.push_back(found->second);
  }
  return routed;
}

}  // namespace

Task<Result<Driver::Versions>> Driver::referenced_versions() {
  HS_CO_TRY(const auto modules, co_await parts_.pool.run([this] { return parts_.store.all_referenced_modules(); }));
  Versions versions;
  for (const auto& [tenant, module] : modules) {
    versions.emplace(std::pair{tenant, module.moduleId}, desired_version(tenant, module));
  }
  co_return versions;
}

Task<Result<>> Driver::load() {
  HS_CO_TRY(const Store::Routes stored, co_await parts_.pool.run([this] { return parts_.store.all_routes(); }));
  HS_CO_TRY(const Versions versions, co_await referenced_versions());
  HS_CO_TRY(auto deployments, co_await parts_.pool.run([this] { return parts_.store.all_unfinished_deployments(); }));
  Publication::Change change;
  for (const auto& route : stored.routes) change.put.push_back(with_versions(route, versions));
  publication_.apply(std::move(change));
  for (auto& deployment : deployments) take_up(std::move(deployment), versions);
  fleet_.published();
  co_return Result<>{};
}

void Driver::take_up(TenantDeployment stored, const Versions& versions) {
  const Deployment deployment = stored.deployment;
  Unfinished& rollout = unfinished_[deployment.deploymentId];
  rollout.stored = std::move(stored);
  rollout.watched_since = parts_.clock.now();
  rollout.trace = parts_.tracer.root(true);
  if (deployment.status == DeploymentStatus::Pending) return;

  const TenantId& tenant = rollout.stored.tenant;
  const auto keep = [&](const ModuleId& id, bool check) {
    const auto found = versions.find({tenant, id});
    if (found == versions.end()) return;
    auto version = std::make_shared<DesiredVersion>(*found->second);
    if (check) version->healthCheck = deployment.healthCheck;
    rollout.versions.push_back(std::move(version));
  };
  keep(deployment.moduleId, true);
  for (const auto& route : deployment.routesBefore) {
    for (const auto& id : versions_of(route)) keep(id, false);
  }
  if (const auto number = ask_for_check(publication_, deployment, rollout.versions)) rollout.check_number = *number;
  rollout.step_revision = publication_.apply(
      {.put = {},
       .drop = {},
       .hold = {{deployment.deploymentId.str(), {.regions = deployment.targetRegions, .versions = rollout.versions}}},
       .release = {}});
  rollout.span = parts_.tracer.start("wasm.deployment.execute", rollout.trace);
  rollout.span.attribute("deploymentId", deployment.deploymentId.str());
  rollout.span.attribute("moduleId", deployment.moduleId.str());
  log::info("deployment resumed", rollout.trace.trace_id(),
            {{"deploymentId", deployment.deploymentId.str()},
             {"moduleId", deployment.moduleId.str()},
             {"step", deployment.step}});
}

Task<bool> Driver::catch_up() {
  const auto turn = co_await turnstile_.enter();
  const auto doubtful = doubtful_;
  for (const auto& [id, tenant] : doubtful) {
    if (const auto adopted = co_await adopt(tenant, id); !adopted) {
      log::error("store does not answer", "", {{"deploymentId", id.str()}, {"error", adopted.error().detail}});
      co_return false;
    }
    doubtful_.erase(id);
  }
  co_return true;
}

// Takes the stored deployment and its routes for the truth.
Task<Result<>> Driver::adopt(TenantId tenant, DeploymentId id) {
  auto stored = co_await find(tenant, id);
  if (!stored && stored.error().kind == ErrorKind::kNotFound) co_return Result<>{};
  if (!stored) co_return std::unexpected(std::move(stored).error());
  const auto known = unfinished_.find(id);
  const bool over = finished(stored->deployment.status);
  if (known != unfinished_.end() && known->second.stored.revision == stored->revision) co_return Result<>{};

  HS_CO_TRY(const Store::Routes routes, co_await parts_.pool.run([this] { return parts_.store.all_routes(); }));
  HS_CO_TRY(const Versions versions, co_await referenced_versions());
  Publication::Change change;
  for (const auto& region : stored->deployment.targetRegions) {
    const auto route = std::ranges::find_if(routes.routes, [&](const Route& candidate) {
      return candidate.tenant == tenant && candidate.name == stored->deployment.moduleName &&
             candidate.region == region;
    });
    if (route != routes.routes.end()) {
      change.put.push_back(with_versions(*route, versions));
    } else {
      change.drop.push_back(
          {.tenant = tenant, .name = stored->deployment.moduleName, .region = region, .versions = {}, .http = {}});
    }
  }
  if (over) change.release.push_back(id.str());
  publication_.apply(std::move(change));
  unfinished_.erase(id);
  if (!over) take_up(*std::move(stored), versions);
  fleet_.published();
  events_.notify();
  co_return Result<>{};
}

}  // namespace hotswap::control
