// One step in the life of a deployment, as it is persisted: the deployment after it, its events, its routes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace hotswap::control {

// Who caused it and when. `by` is "system" for what the driver does by itself.
struct Cause {
  std::string by;
  std::string trace_id;
  TimePoint at;
};

// Made by the functions below; pure.
struct Transition {
  DeploymentChange change;
  Cause cause;

  Transition(const TenantDeployment& from, Cause why);
  [[nodiscard]] Deployment& deployment() noexcept { return change.deployment; }
  // With the deployment's status and progress as they are now.
  void event(EventType type, json::object detail = {});
};

[[nodiscard]] Transition created(const TenantId& tenant, Deployment deployment, Cause cause);
[[nodiscard]] Transition approved(const TenantDeployment& from, Cause cause);
// `deployment.plan` and the routes before are set already.
[[nodiscard]] Transition started(const TenantDeployment& from, Cause cause);
// The current step is done and `next` begins; a Shift changes the routes.
[[nodiscard]] Transition advanced(const TenantDeployment& from, int next, Cause cause);
[[nodiscard]] Transition completed(const TenantDeployment& from, Cause cause);
// Failed, or RolledBack to the routes before where autoRollbackEnabled.
[[nodiscard]] Transition failed(const TenantDeployment& from, std::string reason, std::vector<NodeId> nodes,
                                Cause cause);
[[nodiscard]] Transition rolled_back(const TenantDeployment& from, Cause cause);

// Whether a Shift of this deployment has begun.
[[nodiscard]] bool changed_routes(const Deployment& deployment);

}  // namespace hotswap::control
