// A deployment: the wish to bring one version to some regions or nodes (source 000, ModuleDeployment; FR-WASM-002,
// 007).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/analysis.h"
#include "model/route.h"
#include "model/shadow.h"
#include "model/strategy_config.h"

namespace hotswap {

enum class DeploymentStatus { Pending, InProgress, Paused, Completed, Failed, RolledBack, Cancelled };
BOOST_DESCRIBE_ENUM(DeploymentStatus, Pending, InProgress, Paused, Completed, Failed, RolledBack, Cancelled)

// No step will ever follow by itself. (A Completed one may still be rolled back on request.)
[[nodiscard]] constexpr bool finished(DeploymentStatus status) {
  return status == DeploymentStatus::Completed || status == DeploymentStatus::Failed ||
         status == DeploymentStatus::RolledBack || status == DeploymentStatus::Cancelled;
}

// Run by the node against a fresh instance before a version is ready, and again by each Check step (source 000,
// HealthCheckConfig). Where the module exports no such function, the check is skipped, and the report says so.
struct HealthCheck {
  std::string functionName = "health_check";  // '_' and '-' match each other
  std::string expectedResult = "OK";
  // HTTP handlers: asked by GET in place of the function. Begins with '/'; absent = the function is called.
  std::optional<std::string> httpPath = {};
  int httpStatus = 200;      // 100–599, that the handler must answer with
  int timeoutSeconds = 5;    // 1–60
  int successThreshold = 1;  // consecutive, 1–10
  int failureThreshold = 3;  // consecutive, 1–10
  bool enabled = true;
  bool operator==(const HealthCheck&) const = default;
};
BOOST_DESCRIBE_STRUCT(HealthCheck, (),
                      (functionName, expectedResult, httpPath, httpStatus, timeoutSeconds, successThreshold,
                       failureThreshold, enabled))

// Prepare: the nodes make the version ready. Check: they run its health check once more. Shift, Preview, Shadow: routes
// change, and the nodes take them. Hold: time passes, figures are measured, a person may be asked. Retire: the version
// before stays ready for a time.
enum class StepKind { Prepare, Check, Shift, Preview, Shadow, Hold, Retire };
BOOST_DESCRIBE_ENUM(StepKind, Prepare, Check, Shift, Preview, Shadow, Hold, Retire)

// What ends a Hold, beside failure: its time, a person, or a significant difference between the versions.
enum class Gate { automatic, manual, significant };
BOOST_DESCRIBE_ENUM(Gate, automatic, manual, significant)

// One step of a plan. Planners of all strategies express themselves in these.
struct Step {
  StepKind kind = StepKind::Prepare;
  std::vector<NodeId> nodes;    // who must report the version ready, or the new routes
  std::vector<Region> regions;  // Shift, Preview, Shadow: whose routes change. Others: where the step happens
  int weight = 100;             // Shift: percent of the new version. Shadow: of the requests
  // Shift: the weight holds on these nodes, and the others of the regions route as before. Absent = everywhere.
  std::optional<std::vector<NodeId>> onNodes = {};
  std::optional<StickyKey> sticky = {};         // Shift
  std::optional<HttpBinding> preview = {};      // Preview
  std::optional<ShadowConfig> shadow = {};      // Shadow
  int seconds = 0;                              // Hold: at least (a significant gate: at most). Retire: exactly
  Gate gate = Gate::automatic;                  // Hold
  std::optional<AnalysisConfig> analysis = {};  // Hold
  FailureAction onFailure = FailureAction::rollback;
  std::optional<int> maxUnavailable = {};  // of `nodes`, that may be lost; absent = all but one
  bool regionOnly = false;                 // a failure takes back the routes of `regions` alone
  std::string stage = {};                  // for people: "canary 10%", "batch 2 of 5"
  bool operator==(const Step&) const = default;
};
BOOST_DESCRIBE_STRUCT(Step, (),
                      (kind, nodes, regions, weight, onNodes, sticky, preview, shadow, seconds, gate, analysis,
                       onFailure, maxUnavailable, regionOnly, stage))

[[nodiscard]] constexpr bool changes_routes(StepKind kind) {
  return kind == StepKind::Shift || kind == StepKind::Preview || kind == StepKind::Shadow;
}

// What happens to a deployment whose route has an unfinished one already.
enum class OnConflict { refuse, queue };
BOOST_DESCRIBE_ENUM(OnConflict, refuse, queue)

// What a deployment breaks for those who call a version that one of its routes has.
struct CallerBreak {
  std::string path;             // "acme:shop/api.find"
  std::string was;              // "func(name: string) -> u32"
  std::string is;               // empty: gone
  ModuleId inPlace;             // the version that they call
  std::vector<Region> regions;  // where it is in place
  bool operator==(const CallerBreak&) const = default;
};
BOOST_DESCRIBE_STRUCT(CallerBreak, (), (path, was, is, inPlace, regions))
// "acme:shop/api.find: was func(), is gone (shop-v1.0.0 in eu-west)"
[[nodiscard]] std::string text_of(const CallerBreak& broken);
// Those that are not among the approved ones. The same change in the same region is the same, whichever version is in
// place there now; in a region for which nobody approved it, it is another.
[[nodiscard]] std::vector<CallerBreak> not_approved(const std::vector<CallerBreak>& breaks,
                                                    const std::vector<CallerBreak>& approved);

// What stops nothing, and what whoever deploys should know.
struct DeploymentWarning {
  std::string rule;     // "deprecated-interface"
  std::string subject;  // "acme:shop/api@1.0.0"
  std::string message;  // why, what to do instead, until when
  std::optional<std::string> migrationGuide = {};
  bool operator==(const DeploymentWarning&) const = default;
};
BOOST_DESCRIBE_STRUCT(DeploymentWarning, (), (rule, subject, message, migrationGuide))

struct Deployment {
  DeploymentId deploymentId;
  ModuleId moduleId;
  std::string moduleName;
  std::vector<Region> targetRegions;
  std::optional<std::vector<NodeId>> targetNodes;
  DeploymentStrategy strategy = DeploymentStrategy::AllAtOnce;
  json::value strategyConfig = json::object();
  DeploymentStatus status = DeploymentStatus::Pending;
  int progressPercent = 0;
  std::vector<NodeId> succeededNodes;
  std::vector<NodeId> failedNodes;
  HealthCheck healthCheck;
  HttpBinding http;
  TimePoint createdAt;
  std::string createdBy;
  std::optional<TimePoint> startedAt;
  std::optional<TimePoint> completedAt;
  std::optional<std::string> approvedBy;
  std::optional<TimePoint> approvedAt;
  std::optional<std::string> errorMessage;
  std::optional<ModuleId> previousModuleId;
  bool autoRollbackEnabled = true;
  // The rollout's own state: what is planned, where it stands, and the routes to return to.
  std::vector<Step> plan;
  int step = 0;  // index into plan; plan.size() when all are done
  std::optional<TimePoint> stepStartedAt;
  std::vector<Route> routesBefore;
  std::vector<Region> regionsWithoutRouteBefore;
  bool leftRoutes = false;             // an earlier try failed and left routes that are not those before
  AnalysisRun analysis;                // of the current step
  std::optional<ShadowReport> shadow;  // of the latest try's shadow stage
  OnConflict onConflict = OnConflict::refuse;
  std::optional<TimePoint> queuedAt;  // executed, and waiting for its turn, while Pending
  std::optional<TimePoint> pausedAt;
  std::optional<std::string> pauseReason;
  std::optional<int> promotedStep;             // the hold that a person ended
  bool promotedFully = false;                  // holds end at once
  bool aborting = false;                       // the rest of the plan leads back
  std::optional<ModuleId> rolledBackTo;        // where a rollback named the version
  std::vector<Region> rolledBackRegions = {};  // that returned while others kept the new version
  // As things stood when it was created, or when somebody tried last to execute it.
  std::vector<DeploymentWarning> warnings = {};
  std::vector<CallerBreak> breaksCallers = {};
  std::vector<CallerBreak> approvedBreaks = {};  // what stood in breaksCallers when it was approved
  bool operator==(const Deployment&) const = default;
};
BOOST_DESCRIBE_STRUCT(Deployment, (),
                      (deploymentId, moduleId, moduleName, targetRegions, targetNodes, strategy, strategyConfig, status,
                       progressPercent, succeededNodes, failedNodes, healthCheck, http, createdAt, createdBy, startedAt,
                       completedAt, approvedBy, approvedAt, errorMessage, previousModuleId, autoRollbackEnabled, plan,
                       step, stepStartedAt, routesBefore, regionsWithoutRouteBefore, leftRoutes, analysis, shadow,
                       onConflict, queuedAt, pausedAt, pauseReason, promotedStep, promotedFully, aborting, rolledBackTo,
                       rolledBackRegions, warnings, breaksCallers, approvedBreaks))

// What a client states.
struct DeploymentRequest {
  ModuleId moduleId;
  std::vector<Region> targetRegions;  // "all" = every region
  std::optional<std::vector<NodeId>> targetNodes;
  DeploymentStrategy strategy = DeploymentStrategy::AllAtOnce;
  json::value strategyConfig = json::object();
  HealthCheck healthCheck;
  std::optional<HttpBinding> http;
  bool autoRollbackEnabled = true;
  OnConflict onConflict = OnConflict::refuse;
};
BOOST_DESCRIBE_STRUCT(DeploymentRequest, (),
                      (moduleId, targetRegions, targetNodes, strategy, strategyConfig, healthCheck, http,
                       autoRollbackEnabled, onConflict))
[[nodiscard]] std::vector<FieldError> validate(const DeploymentRequest& request);

// What whoever approves has seen. Absent members: whatever stands there now.
struct ApprovalRequest {
  std::optional<std::vector<CallerBreak>> breaksCallers = {};
};
BOOST_DESCRIBE_STRUCT(ApprovalRequest, (), (breaksCallers))

// One row of the append-only log. Sequences are per tenant, gap-free, and begin with 1.
enum class EventType {
  DeploymentCreated,
  DeploymentApproved,
  DeploymentStopped,  // by what it breaks: somebody must approve that first
  DeploymentQueued,
  DeploymentStarted,
  StepStarted,
  StepCompleted,
  RoutesChanged,
  AnalysisMeasured,
  DeploymentPaused,
  DeploymentResumed,
  DeploymentPromoted,
  DeploymentAborted,
  DeploymentRetried,
  DeploymentCompleted,
  DeploymentFailed,
  DeploymentRolledBack,
  DeploymentCancelled,
};
BOOST_DESCRIBE_ENUM(EventType, DeploymentCreated, DeploymentApproved, DeploymentStopped, DeploymentQueued,
                    DeploymentStarted, StepStarted, StepCompleted, RoutesChanged, AnalysisMeasured, DeploymentPaused,
                    DeploymentResumed, DeploymentPromoted, DeploymentAborted, DeploymentRetried, DeploymentCompleted,
                    DeploymentFailed, DeploymentRolledBack, DeploymentCancelled)

struct Event {
  std::int64_t sequence = 0;  // given by the store
  DeploymentId deploymentId;
  EventType type = EventType::DeploymentCreated;
  TimePoint at;
  std::string by;  // user, or "system"
  std::string traceId;
  DeploymentStatus status = DeploymentStatus::Pending;  // after this event
  int progressPercent = 0;
  json::value detail = json::object();
  bool operator==(const Event&) const = default;
};
BOOST_DESCRIBE_STRUCT(Event, (), (sequence, deploymentId, type, at, by, traceId, status, progressPercent, detail))

}  // namespace hotswap
