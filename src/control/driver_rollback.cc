// Back to the routes before a deployment.
//
// While a deployment is unfinished its nodes still hold the versions before, and going back is one exchange. After its
// end they hold only what is routed: then the versions before are made ready again first, and the routes change only
// when every live node has them, so that no node ever routes to a version that it does not hold.
#include <fmt/format.h>

#include <algorithm>

#include "control/driver.h"

namespace hotswap::control {
namespace {

std::string hold_key(const DeploymentId& id) { return "rollback:" + id.str(); }

bool held_by_nodes(const Deployment& deployment) {
  return deployment.status == DeploymentStatus::InProgress || deployment.status == DeploymentStatus::Paused;
}

bool among(const std::vector<Region>& regions, const Region& region) {
  return std::ranges::find(regions, region) != regions.end();
}

std::vector<ModuleId> versions_before(const Deployment& deployment, const std::vector<Region>& regions) {
  std::vector<ModuleId> ids;
  for (const auto& route : deployment.routesBefore) {
    if (!among(regions, route.region)) continue;
    for (auto& id : versions_of(route)) {
      if (std::ranges::find(ids, id) == ids.end()) ids.push_back(std::move(id));
    }
  }
  return ids;
}

}  // namespace

Result<Driver::WayBack> Driver::way_back(const Deployment& deployment, const RollbackRequest& request) {
  if (!request.regions) {
    // To a version that is named, every region; otherwise those that did not return yet.
    return WayBack{.target = request.toModuleId,
                   .regions = request.toModuleId ? deployment.targetRegions : regions_left(deployment)};
  }
  std::vector<FieldError> errors;
  if (request.toModuleId) errors.push_back({"regions", "cannot be stated together with toModuleId"});
  if (request.regions->empty()) errors.push_back({"regions", "must name at least one region of the deployment"});
  std::vector<Region> regions;
  for (std::size_t i = 0; i < request.regions->size(); ++i) {
    const Region& region = (*request.regions)[i];
    if (!among(deployment.targetRegions, region)) {
      errors.push_back(
          {fmt::format("regions[{}]", i), fmt::format("{} is not a target region of this deployment", region.str())});
    }
    if (!among(deployment.rolledBackRegions, region) && !among(regions, region)) regions.push_back(region);
  }
  if (!errors.empty()) return fail_fields(std::move(errors));
  return WayBack{.target = {}, .regions = std::move(regions), .some = true};
}

Result<> Driver::check_rollback(const TenantDeployment& stored, const WayBack& way) const {
  const Deployment& deployment = stored.deployment;
  if (deployment.status == DeploymentStatus::Cancelled) {
    return fail(ErrorKind::kConflict, fmt::format("deployment {} was cancelled: there is nothing to roll back",
                                                  deployment.deploymentId.str()));
  }
  if (way.some && deployment.status == DeploymentStatus::Pending) {
    return fail(ErrorKind::kConflict, fmt::format("deployment {} was not executed: there is nothing to roll back",
                                                  deployment.deploymentId.str()));
  }
  if (finished(deployment.status)) {
    Deployment returning = deployment;
    returning.targetRegions = way.regions;
    HS_CHECK(check_alone(stored.tenant, returning));
  }
  if (way.target || !changed_routes(deployment)) return {};
  for (const auto& route : deployment.routesBefore) {
    if (!among(way.regions, route.region)) continue;
    const Route* other = publication_.bound_elsewhere(route);
    if (other == nullptr || route.http == deployment.http) continue;
    return fail(ErrorKind::kConflict,
                fmt::format("{}{} in region {} was taken by another module since", route.http.host.value_or(""),
                            route.http.pathPrefix, route.region.str()));
  }
  return {};
}

Task<Result<>> Driver::check_target(TenantDeployment stored, ModuleId target) {
  if (stored.deployment.status == DeploymentStatus::Pending) {
    co_return fail(ErrorKind::kConflict, fmt::format("deployment {} was not executed: there is nothing to roll back",
                                                     stored.deployment.deploymentId.str()));
  }
  auto module = co_await parts_.pool.run([&] { return parts_.store.module(stored.tenant, target); });
  if (!module && module.error().kind != ErrorKind::kNotFound) co_return std::unexpected(std::move(module).error());
  if (module && module->name == stored.deployment.moduleName && module->status != ModuleStatus::Disabled &&
      module->moduleId != stored.deployment.moduleId) {
    co_return Result<>{};
  }
  const auto detail = !module ? fmt::format("cannot return to {}: this version is no longer kept", target.str())
                              : fmt::format("cannot return to {}: expected another version of {} that is not Disabled",
                                            target.str(), stored.deployment.moduleName);
  co_return fail(ErrorKind::kConflict, detail, {{"toModuleId", detail}});
}

Task<Result<std::vector<SharedVersion>>> Driver::kept_versions(TenantId tenant, std::vector<ModuleId> ids) {
  std::vector<SharedVersion> versions;
  for (const auto& id : ids) {
    auto module = co_await parts_.pool.run([&] { return parts_.store.module(tenant, id); });
    if (!module && module.error().kind == ErrorKind::kNotFound) {
      co_return fail(
          ErrorKind::kConflict,
          fmt::format("cannot return to {}: this version is no longer kept; register and deploy it anew", id.str()));
    }
    if (!module) co_return std::unexpected(std::move(module).error());
    versions.push_back(desired_version(tenant, *module));
  }
  co_return versions;
}

Result<bool> Driver::all_ready(const std::vector<rollout::TargetNode>& nodes,
                               const std::vector<SharedVersion>& versions, std::int64_t revision) const {
  const std::int64_t since = std::max(revision, publication_.lifted());
  for (const auto& node : nodes) {
    if (!node.healthy) continue;
    const auto view = fleet_.reports().find(node.id);
    if (view == fleet_.reports().end() || view->second.knownRevision < since) return false;
    for (const auto& version : versions) {
      const auto* reported = find_version(view->second, version->tenant, version->moduleId);
      if (reported != nullptr && reported->state == VersionState::Failed) {
        return fail(ErrorKind::kUnavailable,
                    fmt::format("node {} cannot make {} ready again: {}; the routes are unchanged", node.id.str(),
                                version->moduleId.str(), reported->reason));
      }
      if (reported == nullptr || reported->state != VersionState::Ready) return false;
    }
  }
  return true;
}

void Driver::release(const std::string& key) {
  publication_.apply({.put = {}, .drop = {}, .hold = {}, .release = {key}});
  fleet_.published();
}

Task<Result<std::vector<SharedVersion>>> Driver::hold_versions(TenantDeployment stored, WayBack way) {
  const auto& regions = way.regions;
  HS_CO_TRY(auto versions,
            co_await kept_versions(
                stored.tenant, way.target ? std::vector{*way.target} : versions_before(stored.deployment, regions)));
  if (versions.empty()) co_return versions;
  const std::string key = hold_key(stored.deployment.deploymentId);
  Publication::Change change;
  change.hold[key] = {.regions = regions, .versions = versions};
  const std::int64_t revision = publication_.apply(std::move(change));
  fleet_.published();
  const auto until = std::chrono::steady_clock::now() + options_.rollback_prepare;
  while (!stopping_ && std::chrono::steady_clock::now() < until) {
    const auto seen = reported_.count();
    const auto ready =
        all_ready(fleet_.nodes(regions, {stored.tenant, stored.deployment.moduleName}), versions, revision);
    if (ready && *ready) co_return versions;
    if (!ready) {
      release(key);
      co_return std::unexpected(ready.error());
    }
    co_await reported_.wait(seen, until);
  }
  release(key);
  co_return fail(ErrorKind::kUnavailable,
                 fmt::format("not every live node made the versions before ready within {} ms; the routes are "
                             "unchanged, try again",
                             options_.rollback_prepare.count()));
}

// Best effort: the routes are changed already; this only lets the reply mean that the nodes follow them.
Task<void> Driver::settle(std::vector<Region> regions, std::int64_t revision) {
  const auto until = std::chrono::steady_clock::now() + options_.rollback_settle;
  while (!stopping_ && std::chrono::steady_clock::now() < until) {
    const auto seen = reported_.count();
    const auto nodes = fleet_.nodes(regions);
    const bool all = std::ranges::all_of(nodes, [&](const rollout::TargetNode& node) {
      const auto view = fleet_.reports().find(node.id);
      // Of its region, which a change elsewhere leaves as it is.
      const std::int64_t wanted = std::min(revision, publication_.revision(node.region));
      return !node.healthy || (view != fleet_.reports().end() && view->second.routedRevision >= wanted);
    });
    if (all) co_return;
    co_await reported_.wait(seen, until);
  }
}

// The exchange itself, in one transaction. `stored` must be what the store holds.
Task<Result<Driver::RolledBack>> Driver::exchange_back(TenantDeployment stored, WayBack way,
                                                       std::vector<SharedVersion> versions, Cause why) {
  const DeploymentId id = stored.deployment.deploymentId;
  const auto transition = way.some ? regions_rolled_back(stored, way.regions, std::move(why))
                                   : rolled_back(stored, way.target, std::move(why));
  HS_CO_CHECK(co_await save(stored, transition));
  Unfinished ended;
  ended.versions = std::move(versions);
  if (const auto running = unfinished_.find(id); running != unfinished_.end()) {
    running->second.stored = stored;
    running->second.span.fail();
    const auto& held = running->second.versions;
    ended.versions.insert(ended.versions.end(), held.begin(), held.end());
  }
  publish(transition, ended);
  reported_.notify();
  co_return RolledBack{.deployment = std::move(stored.deployment), .revision = ended.step_revision};
}

Task<Result<Deployment>> Driver::rollback(Principal principal, DeploymentId id, RollbackRequest request,
                                          TraceContext trace) {
  Span span = parts_.tracer.start("wasm.deployment.rollback", trace);
  span.attribute("deploymentId", id.str());
  std::optional<RolledBack> done;
  std::vector<Region> regions;
  while (!done) {
    HS_CO_CHECK(check_running());
    HS_CO_TRY(const TenantDeployment stored, co_await find(principal.tenant, id));
    span.attribute("moduleId", stored.deployment.moduleId.str());
    HS_CO_TRY(const WayBack way, way_back(stored.deployment, request));
    const bool whole = stored.deployment.status == DeploymentStatus::RolledBack;
    if (whole && stored.deployment.rolledBackTo == way.target) co_return stored.deployment;
    if (way.some && way.regions.empty()) co_return stored.deployment;
    HS_CO_CHECK(check_rollback(stored, way));
    if (way.target) HS_CO_CHECK(co_await check_target(stored, *way.target));
    const bool to_prepare = way.target || (changed_routes(stored.deployment) && !held_by_nodes(stored.deployment));
    std::vector<SharedVersion> versions;
    if (to_prepare) {
      HS_CO_TRY(versions, co_await hold_versions(stored, way));
    }

    const auto turn = co_await turnstile_.enter();
    auto now = co_await find(principal.tenant, id);
    Result<> allowed = now ? check_rollback(*now, way) : Result<>(std::unexpected(now.error()));
    // The driver may have taken a step meanwhile: then look again.
    if (allowed && now->revision == stored.revision) {
      auto exchanged = co_await exchange_back(*std::move(now), way, versions, cause(principal.user, trace));
      if (exchanged) {
        done = *std::move(exchanged);
        regions = way.regions;
      } else {
        allowed = std::unexpected(std::move(exchanged).error());
      }
    }
    if (!versions.empty()) release(hold_key(id));
    if (!allowed) co_return std::unexpected(std::move(allowed).error());
  }
  co_await settle(std::move(regions), done->revision);
  co_return std::move(done->deployment);
}

}  // namespace hotswap::control
