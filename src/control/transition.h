// One step in the life of a deployment, as it is persisted: the deployment after it, its events, its routes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rollout/decide.h"
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
// What breaks callers is `breaks`, of which `left` was never approved; an earlier approval covers less than that.
[[nodiscard]] Transition stopped(const TenantDeployment& from, std::vector<CallerBreak> breaks,
                                 const std::vector<CallerBreak>& left, Cause cause);
// Executed, and waiting until the route is free.
[[nodiscard]] Transition queued(const TenantDeployment& from, Cause cause);
// `deployment.plan` and the routes before are set already. Also what a retry of an ended deployment begins with.
[[nodiscard]] Transition started(const TenantDeployment& from, Cause cause);
[[nodiscard]] Transition cancelled(const TenantDeployment& from, Cause cause);

// ---- what decide() says
// The current step is done and `next` begins; a Shift changes the routes.
[[nodiscard]] Transition advanced(const TenantDeployment& from, int next, Cause cause);
[[nodiscard]] Transition completed(const TenantDeployment& from, Cause cause);
[[nodiscard]] Transition measured(const TenantDeployment& from, const rollout::Measured& measurement, Cause cause);
// Leaves the routes as they are.
[[nodiscard]] Transition failed(const TenantDeployment& from, std::string reason, std::vector<NodeId> nodes,
                                Cause cause);
// RolledBack to the routes before; Failed where only some regions return and others keep the new version.
[[nodiscard]] Transition taken_back(const TenantDeployment& from, const rollout::RollBack& why, Cause cause);
[[nodiscard]] Transition paused(const TenantDeployment& from, std::string reason, std::vector<NodeId> nodes,
                                Cause cause);
// Any of the above but Wait.
[[nodiscard]] Transition decided(const TenantDeployment& from, const rollout::Decision& decision, Cause cause);

// ---- what people ask for
// Goes on where it was paused; the time in the pause does not count.
[[nodiscard]] Transition resumed(const TenantDeployment& from, Cause cause);
// The current step begins anew.
[[nodiscard]] Transition retried(const TenantDeployment& from, Cause cause);
// Ends the hold that the deployment is in, as soon as the nodes are ready for what follows.
[[nodiscard]] Transition promoted(const TenantDeployment& from, Cause cause);
// Every hold to come ends at once.
[[nodiscard]] Transition promoted_fully(const TenantDeployment& from, Cause cause);
// Back to the routes before: at once, or stage by stage where the plan has stages to go back through.
[[nodiscard]] Transition aborted(const TenantDeployment& from, bool gradually, Cause cause);
// To the routes before, in the regions that have not returned yet; or all traffic of all regions to `version`.
[[nodiscard]] Transition rolled_back(const TenantDeployment& from, const std::optional<ModuleId>& version, Cause cause);
// The routes of these regions alone return. Where others keep the new version, a deployment that was under way has
// Failed, and one that was Completed stays so.
[[nodiscard]] Transition regions_rolled_back(const TenantDeployment& from, const std::vector<Region>& regions,
                                             Cause cause);
// The target regions that did not return by themselves yet.
[[nodiscard]] std::vector<Region> regions_left(const Deployment& deployment);

// Whether the routes may be others than those before: a step that changes them has begun, in this try or an earlier
// one.
[[nodiscard]] bool changed_routes(const Deployment& deployment);
// Whether a person may end the current step.
[[nodiscard]] bool promotable(const Deployment& deployment);

}  // namespace hotswap::control
