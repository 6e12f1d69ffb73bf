// What stops a deployment before anything moves: whom it breaks, and nodes that lack something.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "control/approval_mail.h"
#include "control/driver.h"

namespace hotswap::control {

bool Driver::in_production(const Deployment& deployment) const {
  return std::ranges::any_of(options_.regions, [&deployment](const RegionSetting& setting) {
    return setting.environment == Environment::production &&
           std::ranges::find(deployment.targetRegions, setting.region) != deployment.targetRegions.end();
  });
}

Result<> Driver::check_capabilities(const Deployment& deployment, const Module& module,
                                    const std::vector<rollout::TargetNode>& nodes) const {
  std::vector<FieldError> errors;
  std::vector<std::string_view> lacking;
  for (const auto& node : nodes) {
    const auto missing = fleet_.lacking(node.id, module);
    if (missing.empty()) continue;
    lacking.push_back(node.id.str());
    errors.push_back(
        {deployment.targetNodes ? "targetNodes" : "targetRegions",
         fmt::format("node {} of region {} lacks {}", node.id.str(), node.region.str(), fmt::join(missing, ", "))});
  }
  if (errors.empty()) return {};
  return fail(ErrorKind::kUnprocessable,
              fmt::format("not every node can run {}: {}", module.moduleId.str(), fmt::join(lacking, ", ")),
              std::move(errors));
}

Task<Result<>> Driver::warn_of_deprecated(TenantId tenant, Deployment& deployment, const Module& module) {
  HS_CO_TRY(deployment.warnings,
            co_await parts_.pool.run([&] { return parts_.interfaces.deprecated_uses(tenant, module); }));
  co_return Result<>{};
}

// Of the versions that the target routes have now.
Task<Result<std::vector<CallerBreak>>> Driver::broken_callers(TenantId tenant, Deployment deployment) {
  std::map<ModuleId, std::vector<Region>> in_place;
  for (const auto& region : deployment.targetRegions) {
    const auto* routed = publication_.route(tenant, deployment.moduleName, region);
    if (routed == nullptr) continue;
    for (const auto& version : routed->route.versions) in_place[version.moduleId].push_back(region);
  }
  in_place.erase(deployment.moduleId);
  std::vector<CallerBreak> list;
  for (const auto& [before, regions] : in_place) {
    HS_CO_TRY(const auto changes, co_await parts_.pool.run([&] {
      return parts_.interfaces.broken_callers(tenant, before, deployment.moduleId);
    }));
    for (const auto& change : changes) {
      list.push_back({.path = change.path, .was = change.was, .is = change.is, .inPlace = before, .regions = regions});
    }
  }
  co_return list;
}

Task<Result<>> Driver::check_callers(TenantDeployment& stored, Cause cause) {
  HS_CO_TRY(auto breaks, co_await broken_callers(stored.tenant, stored.deployment));
  const auto left = not_approved(breaks, stored.deployment.approvedBreaks);
  if (left.empty()) {
    stored.deployment.breaksCallers = std::move(breaks);
    co_return Result<>{};
  }
  const DeploymentId id = stored.deployment.deploymentId;
  std::vector<FieldError> errors;
  for (const auto& broken : left) errors.push_back({"moduleId", text_of(broken)});
  if (stored.deployment.status != DeploymentStatus::Pending) {
    co_return fail(ErrorKind::kConflict,
                   fmt::format("deployment {} breaks those who call the versions in place by now, which nobody has "
                               "approved: create a new one",
                               id.str()),
                   std::move(errors));
  }
  const bool known =
      stored.deployment.breaksCallers == breaks && !stored.deployment.approvedBy && !stored.deployment.queuedAt;
  if (!known) {
    auto transition = stopped(stored, std::move(breaks), left, std::move(cause));
    transition.change.mails =
        asking(options_.mail, transition.deployment(), in_production(stored.deployment), transition.cause.at);
    HS_CO_CHECK(co_await save(stored, transition));
    if (const auto found = unfinished_.find(id); found != unfinished_.end()) found->second.stored = stored;
  }
  co_return fail(ErrorKind::kConflict,
                 fmt::format("deployment {0} breaks those who call the version in place: an Admin approves it with "
                             "POST /api/v1/wasm/deployments/{0}/approve",
                             id.str()),
                 std::move(errors));
}

}  // namespace hotswap::control
