#include "control/verbs.h"

#include <fmt/format.h>

namespace hotswap::control {
namespace {

std::unexpected<Error> not_now(const Deployment& deployment, std::string_view verb, std::string_view instead) {
  return fail(ErrorKind::kConflict,
              fmt::format("deployment {} is {} and cannot be {}: {}", deployment.deploymentId.str(),
                          enum_name(deployment.status), verb, instead));
}

bool runs(const Deployment& deployment) {
  return deployment.status == DeploymentStatus::InProgress || deployment.status == DeploymentStatus::Paused;
}

bool gradual_by_plan(const Deployment& deployment) {
  const auto config = read_strategy(deployment.strategy, deployment.strategyConfig);
  const auto* canary = config ? std::get_if<CanaryConfig>(&*config) : nullptr;
  return canary != nullptr && canary->abortGradually;
}

const Asked kDone = std::optional<Transition>();

}  // namespace

Asked pause(const TenantDeployment& from, const Cause& cause) {
  if (from.deployment.status == DeploymentStatus::Paused) return kDone;
  if (from.deployment.status != DeploymentStatus::InProgress) {
    return not_now(from.deployment, "paused", "only one that is InProgress is");
  }
  return paused(from, "paused by " + cause.by, {}, cause);
}

Asked resume(const TenantDeployment& from, const Cause& cause) {
  if (from.deployment.status == DeploymentStatus::InProgress) return kDone;
  if (from.deployment.status != DeploymentStatus::Paused) {
    return not_now(from.deployment, "resumed", "only a Paused one is");
  }
  return resumed(from, cause);
}

Asked promote(const TenantDeployment& from, const PromoteRequest& request, const Cause& cause) {
  const Deployment& deployment = from.deployment;
  if (deployment.status == DeploymentStatus::Completed) return kDone;
  if (!runs(deployment) || deployment.aborting) return not_now(deployment, "promoted", "only one that goes forward is");
  if (request.step && *request.step < deployment.step) return kDone;
  if (request.step && *request.step > deployment.step) {
    return not_now(deployment, "promoted",
                   fmt::format("it stands at step {}, not yet at {}", deployment.step, *request.step));
  }
  const bool already = deployment.promotedStep == deployment.step && deployment.status == DeploymentStatus::InProgress;
  if (already) return kDone;
  if (promotable(deployment)) return promoted(from, cause);
  // Between two holds it goes on by itself.
  if (deployment.status == DeploymentStatus::InProgress) return kDone;
  return not_now(deployment, "promoted", "its step is not done; resume or retry it");
}

Asked promote_fully(const TenantDeployment& from, const Cause& cause) {
  const Deployment& deployment = from.deployment;
  const bool already = deployment.promotedFully && deployment.status == DeploymentStatus::InProgress;
  if (deployment.status == DeploymentStatus::Completed || already) return kDone;
  if (!runs(deployment) || deployment.aborting) return not_now(deployment, "promoted", "only one that goes forward is");
  return promoted_fully(from, cause);
}

Asked abort(const TenantDeployment& from, const AbortRequest& request, const Cause& cause) {
  const Deployment& deployment = from.deployment;
  if (deployment.status == DeploymentStatus::RolledBack) return kDone;
  const bool gradually = request.gradual.value_or(gradual_by_plan(deployment));
  if (deployment.aborting && gradually && deployment.status == DeploymentStatus::InProgress) return kDone;
  if (!runs(deployment)) {
    return not_now(deployment, "aborted", "cancel one that was not executed, roll back one that has ended");
  }
  return aborted(from, gradually && !deployment.aborting, cause);
}

Asked cancel(const TenantDeployment& from, const Cause& cause) {
  if (from.deployment.status == DeploymentStatus::Cancelled) return kDone;
  if (from.deployment.status != DeploymentStatus::Pending) {
    return not_now(from.deployment, "cancelled", "abort one that runs, roll back one that has ended");
  }
  return cancelled(from, cause);
}

Asked retry(const TenantDeployment& from, const Cause& cause) {
  if (from.deployment.status == DeploymentStatus::InProgress) return kDone;
  if (from.deployment.status == DeploymentStatus::Paused) return retried(from, cause);
  return not_now(from.deployment, "retried", "only a paused step or an ended deployment is tried again");
}

}  // namespace hotswap::control
