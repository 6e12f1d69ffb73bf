#include "control/transition.h"

#include <algorithm>

#include "rollout/decide.h"
#include "rollout/routes.h"

namespace hotswap::control {
namespace {

const Step& step_at(const Deployment& deployment, int step) {
  return deployment.plan.at(static_cast<std::size_t>(step));
}

void begin_step(Transition& transition, int step) {
  Deployment& deployment = transition.deployment();
  deployment.step = step;
  deployment.stepStartedAt = transition.cause.at;
  deployment.progressPercent = rollout::progress(deployment, step);
  const Step& begun = step_at(deployment, step);
  json::object detail = to_json(begun).get_object();
  detail["step"] = step;
  transition.event(EventType::StepStarted, std::move(detail));
  if (begun.kind != StepKind::Shift) return;
  transition.change.putRoutes = rollout::shift(transition.change.tenant, deployment, begun);
  transition.event(EventType::RoutesChanged, {{"routes", to_json(transition.change.putRoutes)}});
}

void return_routes(Transition& transition) {
  if (!changed_routes(transition.deployment())) return;
  auto back = rollout::back(transition.change.tenant, transition.deployment());
  json::array dropped;
  for (const auto& route : back.drop) dropped.push_back(to_json(route.region));
  transition.change.putRoutes = std::move(back.put);
  transition.change.dropRoutes = std::move(back.drop);
  transition.event(EventType::RoutesChanged,
                   {{"routes", to_json(transition.change.putRoutes)}, {"droppedRegions", std::move(dropped)}});
}

std::vector<NodeId> planned_nodes(const Deployment& deployment) {
  std::vector<NodeId> nodes;
  for (const auto& step : deployment.plan) {
    for (const auto& node : step.nodes) {
      if (std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(node);
    }
  }
  return nodes;
}

}  // namespace

Transition::Transition(const TenantDeployment& from, Cause why)
    : change{.tenant = from.tenant,
             .deployment = from.deployment,
             .expectedRevision = from.revision,
             .events = {},
             .putRoutes = {},
             .dropRoutes = {}},
      cause(std::move(why)) {}

void Transition::event(EventType type, json::object detail) {
  change.events.push_back({.sequence = 0,
                           .deploymentId = change.deployment.deploymentId,
                           .type = type,
                           .at = cause.at,
                           .by = cause.by,
                           .traceId = cause.trace_id,
                           .status = change.deployment.status,
                           .progressPercent = change.deployment.progressPercent,
                           .detail = std::move(detail)});
}

Transition created(const TenantId& tenant, Deployment deployment, Cause cause) {
  Transition transition({.tenant = tenant, .deployment = std::move(deployment), .revision = 0}, std::move(cause));
  const Deployment& made = transition.deployment();
  transition.event(EventType::DeploymentCreated, {{"moduleId", made.moduleId.str()},
                                                  {"strategy", enum_name(made.strategy)},
                                                  {"targetRegions", to_json(made.targetRegions)}});
  return transition;
}

Transition approved(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  transition.deployment().approvedBy = transition.cause.by;
  transition.deployment().approvedAt = transition.cause.at;
  return transition;
}

Transition started(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  transition.deployment().status = DeploymentStatus::InProgress;
  transition.deployment().startedAt = transition.cause.at;
  transition.event(EventType::DeploymentStarted, {{"steps", transition.deployment().plan.size()}});
  begin_step(transition, 0);
  return transition;
}

Transition advanced(const TenantDeployment& from, int next, Cause cause) {
  Transition transition(from, std::move(cause));
  transition.deployment().progressPercent = rollout::progress(from.deployment, next);
  transition.event(EventType::StepCompleted, {{"step", from.deployment.step}});
  begin_step(transition, next);
  return transition;
}

Transition completed(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  deployment.progressPercent = 100;
  transition.event(EventType::StepCompleted, {{"step", deployment.step}});
  deployment.step = static_cast<int>(deployment.plan.size());
  deployment.status = DeploymentStatus::Completed;
  deployment.completedAt = transition.cause.at;
  deployment.succeededNodes = planned_nodes(deployment);
  transition.event(EventType::DeploymentCompleted, {{"nodes", to_json(deployment.succeededNodes)}});
  return transition;
}

Transition failed(const TenantDeployment& from, std::string reason, std::vector<NodeId> nodes, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  deployment.errorMessage = reason;
  deployment.failedNodes = std::move(nodes);
  json::object detail{{"reason", std::move(reason)}, {"failedNodes", to_json(deployment.failedNodes)}};
  deployment.completedAt = transition.cause.at;
  if (!deployment.autoRollbackEnabled) {
    deployment.status = DeploymentStatus::Failed;
    transition.event(EventType::DeploymentFailed, std::move(detail));
    return transition;
  }
  // Still InProgress in this event: the rollback below is what ends the deployment.
  transition.event(EventType::DeploymentFailed, std::move(detail));
  deployment.status = DeploymentStatus::RolledBack;
  return_routes(transition);
  transition.event(EventType::DeploymentRolledBack, {{"automatic", true}});
  return transition;
}

Transition rolled_back(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  deployment.status = DeploymentStatus::RolledBack;
  deployment.completedAt = transition.cause.at;
  return_routes(transition);
  transition.event(EventType::DeploymentRolledBack,
                   {{"automatic", false}, {"from", enum_name(from.deployment.status)}});
  return transition;
}

bool changed_routes(const Deployment& deployment) {
  const auto last = std::min(deployment.plan.size(), static_cast<std::size_t>(deployment.step) + 1);
  const bool begun = deployment.status != DeploymentStatus::Pending && deployment.startedAt.has_value();
  return begun && std::any_of(deployment.plan.begin(), deployment.plan.begin() + static_cast<std::ptrdiff_t>(last),
                              [](const Step& step) { return step.kind == StepKind::Shift; });
}

}  // namespace hotswap::control
