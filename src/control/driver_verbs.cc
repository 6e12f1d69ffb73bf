// What people ask of a deployment beside executing it and rolling it back: see verbs.h for what each does.
#include <fmt/format.h>

#include <algorithm>

#include "control/driver.h"

namespace hotswap::control {

Task<Result<Deployment>> Driver::ask(Principal principal, DeploymentId id, Verb verb, TraceContext trace) {
  const auto turn = co_await turnstile_.enter();
  HS_CO_CHECK(check_running());
  HS_CO_TRY(TenantDeployment stored, co_await find(principal.tenant, id));
  HS_CO_TRY(const auto transition, verb(stored, cause(principal.user, trace)));
  if (!transition) co_return stored.deployment;
  HS_CO_CHECK(co_await save(stored, *transition));
  const auto found = unfinished_.find(id);
  if (found == unfinished_.end()) co_return stored.deployment;
  found->second.stored = stored;
  // Nodes get their time again: it did not run while nobody pushed the deployment on.
  found->second.watched_since = parts_.clock.now();
  publish(*transition, found->second);
  reported_.notify();
  co_return stored.deployment;
}

// What an ended deployment left must still stand: otherwise somebody else has deployed since.
Result<> Driver::check_retry(const TenantDeployment& stored) const {
  const Deployment& deployment = stored.deployment;
  if (deployment.status != DeploymentStatus::Failed) return {};
  for (const auto& region : deployment.targetRegions) {
    const auto* routed = publication_.route(stored.tenant, deployment.moduleName, region);
    if (routed == nullptr) continue;
    for (const auto& id : versions_of(routed->route)) {
      const bool known =
          id == deployment.moduleId || std::ranges::any_of(deployment.routesBefore, [&](const Route& before) {
            const auto ids = versions_of(before);
            return std::ranges::find(ids, id) != ids.end();
          });
      if (known) continue;
      return fail(ErrorKind::kConflict,
                  fmt::format("{} was deployed in region {} since: create a new deployment", id.str(), region.str()));
    }
  }
  return {};
}

Task<Result<Deployment>> Driver::retry(Principal principal, DeploymentId id, TraceContext trace) {
  HS_CO_TRY(const TenantDeployment seen, co_await find(principal.tenant, id));
  const DeploymentStatus status = seen.deployment.status;
  if (!finished(status) || status == DeploymentStatus::Completed) {
    co_return co_await ask(principal, id, &control::retry, trace);
  }
  const auto turn = co_await turnstile_.enter();
  HS_CO_CHECK(check_running());
  HS_CO_TRY(TenantDeployment stored, co_await find(principal.tenant, id));
  if (!finished(stored.deployment.status)) co_return stored.deployment;
  HS_CO_CHECK(check_approved(principal, stored.deployment));
  HS_CO_CHECK(check_alone(stored.tenant, stored.deployment));
  HS_CO_CHECK(check_retry(stored));
  HS_CO_CHECK(co_await check_callers(stored, cause(principal.user, trace)));
  co_return co_await begin(std::move(stored), principal.user, trace);
}

}  // namespace hotswap::control
