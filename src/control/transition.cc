#include "control/transition.h"

#include <algorithm>

#include "rollout/decide.h"
#include "rollout/routes.h"

namespace hotswap::control {
namespace {

const Step& step_at(const Deployment& deployment, int step) {
  return deployment.plan.at(static_cast<std::size_t>(step));
}

// What of a step whoever follows the deployment wants to know.
json::object described(const Step& step, int index) {
  json::object detail{{"step", index}, {"kind", enum_name(step.kind)}};
  if (!step.stage.empty()) detail["stage"] = step.stage;
  detail["nodes"] = to_json(step.nodes);
  detail["regions"] = to_json(step.regions);
  if (step.kind == StepKind::Shift || step.kind == StepKind::Shadow) detail["weight"] = step.weight;
  if (step.onNodes) detail["onNodes"] = to_json(*step.onNodes);
  if (step.kind == StepKind::Hold || step.kind == StepKind::Retire) detail["seconds"] = step.seconds;
  if (step.gate != Gate::automatic) detail["gate"] = enum_name(step.gate);
  return detail;
}

json::array texts_of(const std::vector<CallerBreak>& breaks) {
  json::array list;
  for (const auto& broken : breaks) list.emplace_back(text_of(broken));
  return list;
}

void begin_step(Transition& transition, int step) {
  Deployment& deployment = transition.deployment();
  deployment.step = step;
  deployment.stepStartedAt = transition.cause.at;
  deployment.analysis = {};
  deployment.promotedStep.reset();
  deployment.progressPercent = rollout::progress(deployment, step);
  const Step& begun = step_at(deployment, step);
  transition.event(EventType::StepStarted, described(begun, step));
  if (!changes_routes(begun.kind)) return;
  transition.change.putRoutes = rollout::changed(transition.change.tenant, deployment, begun);
  transition.event(EventType::RoutesChanged, {{"routes", to_json(transition.change.putRoutes)}});
}

void return_routes(Transition& transition, const std::vector<Region>& regions = {}) {
  if (!changed_routes(transition.deployment())) return;
  auto back = rollout::back(transition.change.tenant, transition.deployment(), regions);
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

void go_on(Deployment& deployment) {
  deployment.status = DeploymentStatus::InProgress;
  deployment.pausedAt.reset();
  deployment.pauseReason.reset();
}

void end(Transition& transition, DeploymentStatus status) {
  Deployment& deployment = transition.deployment();
  deployment.status = status;
  deployment.completedAt = transition.cause.at;
  deployment.queuedAt.reset();
  deployment.pausedAt.reset();
  deployment.pauseReason.reset();
}

// Whether a step so far changed the routes of another region than these.
bool changed_elsewhere(const Deployment& deployment, const std::vector<Region>& regions) {
  if (deployment.leftRoutes) return false;  // everything returns
  const auto done = std::min(deployment.plan.size(), static_cast<std::size_t>(deployment.step) + 1);
  for (std::size_t i = 0; i < done; ++i) {
    if (!changes_routes(deployment.plan[i].kind)) continue;
    for (const auto& region : deployment.plan[i].regions) {
      if (std::ranges::find(regions, region) == regions.end()) return true;
    }
  }
  return false;
}

// Whether the routes of any of these may be others than those before.
bool changed_in(const Deployment& deployment, const std::vector<Region>& regions) {
  if (deployment.leftRoutes) return !regions.empty();  // who knows which
  const auto done = std::min(deployment.plan.size(), static_cast<std::size_t>(deployment.step) + 1);
  return std::any_of(deployment.plan.begin(), deployment.plan.begin() + static_cast<std::ptrdiff_t>(done),
                     [&regions](const Step& step) {
                       return changes_routes(step.kind) && std::ranges::any_of(step.regions, [&](const Region& region) {
                                return std::ranges::find(regions, region) != regions.end();
                              });
                     });
}

json::object trouble(const std::string& reason, const std::vector<NodeId>& nodes) {
  return {{"reason", reason}, {"failedNodes", to_json(nodes)}};
}

// The stages that a gradual abort goes back through, from the one before the current.
std::vector<Step> way_back(const Deployment& deployment) {
  std::vector<Step> shifts;
  for (int i = 0; i <= deployment.step; ++i) {
    const Step& step = step_at(deployment, i);
    if (step.kind == StepKind::Shift) shifts.push_back(step);
  }
  if (shifts.empty()) return {};
  shifts.pop_back();
  int seconds = 0;
  if (const auto config = read_strategy(deployment.strategy, deployment.strategyConfig)) {
    if (const auto* canary = std::get_if<CanaryConfig>(&*config)) seconds = canary->abortHoldSeconds;
  }
  std::vector<Step> steps;
  for (auto shift = shifts.rbegin(); shift != shifts.rend(); ++shift) {
    Step hold{.kind = StepKind::Hold, .nodes = shift->nodes, .regions = shift->regions};
    hold.seconds = seconds;
    hold.stage = shift->stage;
    steps.push_back(std::move(*shift));
    steps.push_back(std::move(hold));
  }
  return steps;
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
  json::object detail{{"moduleId", made.moduleId.str()},
                      {"strategy", enum_name(made.strategy)},
                      {"targetRegions", to_json(made.targetRegions)}};
  if (!made.breaksCallers.empty()) detail["breaksCallers"] = texts_of(made.breaksCallers);
  if (!made.warnings.empty()) detail["warnings"] = to_json(made.warnings);
  transition.event(EventType::DeploymentCreated, std::move(detail));
  return transition;
}

Transition approved(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  transition.deployment().approvedBy = transition.cause.by;
  transition.deployment().approvedAt = transition.cause.at;
  transition.deployment().approvedBreaks = from.deployment.breaksCallers;
  json::object detail;
  if (!from.deployment.breaksCallers.empty()) detail["breaksCallers"] = texts_of(from.deployment.breaksCallers);
  transition.event(EventType::DeploymentApproved, std::move(detail));
  return transition;
}

Transition stopped(const TenantDeployment& from, std::vector<CallerBreak> breaks, const std::vector<CallerBreak>& left,
                   Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  deployment.breaksCallers = std::move(breaks);
  deployment.approvedBreaks.clear();
  deployment.approvedBy.reset();
  deployment.approvedAt.reset();
  deployment.queuedAt.reset();
  transition.event(EventType::DeploymentStopped,
                   {{"breaksCallers", texts_of(deployment.breaksCallers)}, {"notApproved", texts_of(left)}});
  return transition;
}

Transition queued(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  transition.deployment().queuedAt = transition.cause.at;
  transition.event(EventType::DeploymentQueued);
  return transition;
}

Transition started(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  const bool again = finished(deployment.status);
  deployment.leftRoutes = deployment.status == DeploymentStatus::Failed && changed_routes(from.deployment);
  deployment.status = DeploymentStatus::InProgress;
  deployment.startedAt = transition.cause.at;
  deployment.queuedAt.reset();
  if (again) {
    deployment.completedAt.reset();
    deployment.errorMessage.reset();
    deployment.failedNodes.clear();
    deployment.succeededNodes.clear();
    deployment.promotedFully = deployment.aborting = false;
    deployment.rolledBackTo.reset();
    deployment.rolledBackRegions.clear();
    deployment.shadow.reset();
    transition.event(EventType::DeploymentRetried, {{"from", enum_name(from.deployment.status)}});
  }
  json::object detail{{"steps", deployment.plan.size()}};
  if (!deployment.warnings.empty()) detail["warnings"] = to_json(deployment.warnings);
  transition.event(EventType::DeploymentStarted, std::move(detail));
  begin_step(transition, 0);
  return transition;
}

Transition cancelled(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  end(transition, DeploymentStatus::Cancelled);
  transition.event(EventType::DeploymentCancelled);
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
  end(transition, DeploymentStatus::Completed);
  deployment.succeededNodes = planned_nodes(deployment);
  transition.event(EventType::DeploymentCompleted, {{"nodes", to_json(deployment.succeededNodes)}});
  return transition;
}

Transition measured(const TenantDeployment& from, const rollout::Measured& measurement, Cause cause) {
  Transition transition(from, std::move(cause));
  transition.deployment().analysis = measurement.run;
  if (measurement.shadow) transition.deployment().shadow = measurement.shadow;
  transition.event(EventType::AnalysisMeasured, {{"step", from.deployment.step},
                                                 {"outcome", enum_name(measurement.outcome)},
                                                 {"measurement", measurement.run.measurements},
                                                 {"metrics", to_json(measurement.run.last)}});
  return transition;
}

Transition failed(const TenantDeployment& from, std::string reason, std::vector<NodeId> nodes, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  deployment.errorMessage = std::move(reason);
  deployment.failedNodes = std::move(nodes);
  end(transition, DeploymentStatus::Failed);
  transition.event(EventType::DeploymentFailed, trouble(*deployment.errorMessage, deployment.failedNodes));
  return transition;
}

Transition taken_back(const TenantDeployment& from, const rollout::RollBack& why, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  deployment.errorMessage = why.reason;
  deployment.failedNodes = why.nodes;
  if (!why.regions.empty() && changed_elsewhere(deployment, why.regions)) {
    end(transition, DeploymentStatus::Failed);
    return_routes(transition, why.regions);
    deployment.rolledBackRegions = why.regions;
    auto detail = trouble(why.reason, why.nodes);
    detail["rolledBackRegions"] = to_json(why.regions);
    transition.event(EventType::DeploymentFailed, std::move(detail));
    return transition;
  }
  // Still InProgress in this event: the rollback below is what ends the deployment.
  if (!deployment.aborting) transition.event(EventType::DeploymentFailed, trouble(why.reason, why.nodes));
  end(transition, DeploymentStatus::RolledBack);
  return_routes(transition);
  transition.event(EventType::DeploymentRolledBack, {{"automatic", !deployment.aborting}});
  return transition;
}

Transition paused(const TenantDeployment& from, std::string reason, std::vector<NodeId> nodes, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  deployment.status = DeploymentStatus::Paused;
  deployment.pausedAt = transition.cause.at;
  deployment.pauseReason = std::move(reason);
  deployment.failedNodes = std::move(nodes);
  transition.event(EventType::DeploymentPaused, trouble(*deployment.pauseReason, deployment.failedNodes));
  return transition;
}

Transition decided(const TenantDeployment& from, const rollout::Decision& decision, Cause cause) {
  if (const auto* next = std::get_if<rollout::Advance>(&decision)) return advanced(from, next->next, std::move(cause));
  if (const auto* why = std::get_if<rollout::Fail>(&decision)) {
    return failed(from, why->reason, why->nodes, std::move(cause));
  }
  if (const auto* why = std::get_if<rollout::RollBack>(&decision)) return taken_back(from, *why, std::move(cause));
  if (const auto* why = std::get_if<rollout::Pause>(&decision)) {
    return paused(from, why->reason, why->nodes, std::move(cause));
  }
  if (const auto* made = std::get_if<rollout::Measured>(&decision)) return measured(from, *made, std::move(cause));
  return completed(from, std::move(cause));
}

Transition resumed(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  if (deployment.pausedAt && deployment.stepStartedAt) {
    *deployment.stepStartedAt += std::max(transition.cause.at - *deployment.pausedAt, std::chrono::milliseconds(0));
  }
  go_on(deployment);
  // What was said before was heard by the person who resumes.
  deployment.analysis = {};
  deployment.failedNodes.clear();
  transition.event(EventType::DeploymentResumed, {{"step", deployment.step}});
  return transition;
}

Transition retried(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  go_on(transition.deployment());
  transition.deployment().failedNodes.clear();
  transition.event(EventType::DeploymentRetried, {{"from", enum_name(from.deployment.status)}});
  begin_step(transition, from.deployment.step);
  return transition;
}

Transition promoted(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  go_on(transition.deployment());
  transition.deployment().promotedStep = from.deployment.step;
  transition.event(EventType::DeploymentPromoted, {{"step", from.deployment.step}});
  return transition;
}

Transition promoted_fully(const TenantDeployment& from, Cause cause) {
  Transition transition(from, std::move(cause));
  go_on(transition.deployment());
  transition.deployment().promotedFully = true;
  transition.event(EventType::DeploymentPromoted, {{"step", from.deployment.step}, {"fully", true}});
  return transition;
}

Transition aborted(const TenantDeployment& from, bool gradually, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  deployment.errorMessage = "aborted by " + transition.cause.by;
  auto back = gradually ? way_back(deployment) : std::vector<Step>{};
  transition.event(EventType::DeploymentAborted, {{"step", deployment.step}, {"gradually", !back.empty()}});
  if (back.empty()) {
    end(transition, DeploymentStatus::RolledBack);
    return_routes(transition);
    transition.event(EventType::DeploymentRolledBack, {{"automatic", false}});
    return transition;
  }
  go_on(deployment);
  deployment.aborting = true;
  deployment.promotedFully = false;
  deployment.plan.resize(static_cast<std::size_t>(deployment.step) + 1);
  std::ranges::move(back, std::back_inserter(deployment.plan));
  begin_step(transition, deployment.step + 1);
  return transition;
}

Transition rolled_back(const TenantDeployment& from, const std::optional<ModuleId>& version, Cause cause) {
  Transition transition(from, std::move(cause));
  end(transition, DeploymentStatus::RolledBack);
  json::object detail{{"automatic", false}, {"from", enum_name(from.deployment.status)}};
  if (version) {
    transition.deployment().rolledBackTo = version;
    transition.change.putRoutes = rollout::all_to(transition.change.tenant, transition.deployment(), *version);
    transition.event(EventType::RoutesChanged, {{"routes", to_json(transition.change.putRoutes)}});
    detail["toModuleId"] = version->str();
  } else {
    return_routes(transition, regions_left(from.deployment));
  }
  transition.event(EventType::DeploymentRolledBack, std::move(detail));
  return transition;
}

Transition regions_rolled_back(const TenantDeployment& from, const std::vector<Region>& regions, Cause cause) {
  Transition transition(from, std::move(cause));
  Deployment& deployment = transition.deployment();
  deployment.rolledBackRegions.insert(deployment.rolledBackRegions.end(), regions.begin(), regions.end());
  return_routes(transition, regions);
  if (!changed_in(deployment, regions_left(deployment))) {
    end(transition, DeploymentStatus::RolledBack);
  } else if (from.deployment.status != DeploymentStatus::Completed) {
    end(transition, DeploymentStatus::Failed);
    deployment.errorMessage = "rolled back in some regions by " + transition.cause.by;
  }
  transition.event(EventType::DeploymentRolledBack,
                   {{"automatic", false}, {"from", enum_name(from.deployment.status)}, {"regions", to_json(regions)}});
  return transition;
}

std::vector<Region> regions_left(const Deployment& deployment) {
  std::vector<Region> left = deployment.targetRegions;
  std::erase_if(left, [&](const Region& region) {
    return std::ranges::find(deployment.rolledBackRegions, region) != deployment.rolledBackRegions.end();
  });
  return left;
}

bool changed_routes(const Deployment& deployment) {
  const auto last = std::min(deployment.plan.size(), static_cast<std::size_t>(deployment.step) + 1);
  const bool begun = deployment.status != DeploymentStatus::Pending && deployment.startedAt.has_value();
  if (begun && deployment.leftRoutes) return true;
  return begun && std::any_of(deployment.plan.begin(), deployment.plan.begin() + static_cast<std::ptrdiff_t>(last),
                              [](const Step& step) { return changes_routes(step.kind); });
}

bool promotable(const Deployment& deployment) {
  if (deployment.aborting || deployment.step >= static_cast<int>(deployment.plan.size())) return false;
  const StepKind kind = step_at(deployment, deployment.step).kind;
  return kind == StepKind::Hold || kind == StepKind::Retire;
}

}  // namespace hotswap::control
