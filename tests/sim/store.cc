#include "store.h"

namespace hotswap::sim {

Result<AppliedChange> MemoryStore::apply(const DeploymentChange& change) {
  const bool faulty = world_.scenario().store_faults && !world_.is_calm() && world_.one_in(60);
  if (faulty && world_.one_in(2)) return fail(ErrorKind::kUnavailable, "the change was lost");
  const DeploymentId& id = change.deployment.deploymentId;
  const auto found = deployments_.find(id);
  const std::int64_t stands = found == deployments_.end() ? 0 : found->second.revision;
  if (stands != change.expectedRevision) return fail(ErrorKind::kConflict, "the deployment was changed meanwhile");

  const Routes before = routes_;
  // Through JSON, as every real row goes: what does not survive that is lost here too.
  deployments_[id] = {.tenant = change.tenant,
                      .deployment = from_json_text<Deployment>(to_json_text(change.deployment)).value(),
                      .revision = stands + 1};
  AppliedChange applied{.revision = stands + 1, .routeRevision = 0, .events = change.events};
  for (auto& event : applied.events) {
    event.sequence = static_cast<std::int64_t>(events_.size()) + 1;
    events_.push_back(from_json_text<Event>(to_json_text(event)).value());
  }
  for (const auto& route : change.dropRoutes) routes_.erase({route.name, route.region});
  for (const auto& route : change.putRoutes) {
    routes_[{route.name, route.region}] = from_json_text<Route>(to_json_text(route)).value();
  }
  if (observer_) observer_(before, change);
  if (faulty) return fail(ErrorKind::kUnavailable, "the answer was lost");
  return applied;
}

}  // namespace hotswap::sim
