// A deployment: the wish to bring one version to some regions or nodes (source 000, ModuleDeployment; FR-WASM-002,
// 007).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/route.h"

namespace hotswap {

enum class DeploymentStrategy { AllAtOnce, Canary, BlueGreen, Rolling, Regional, ABTesting };
BOOST_DESCRIBE_ENUM(DeploymentStrategy, AllAtOnce, Canary, BlueGreen, Rolling, Regional, ABTesting)

enum class DeploymentStatus { Pending, InProgress, Paused, Completed, Failed, RolledBack, Cancelled };
BOOST_DESCRIBE_ENUM(DeploymentStatus, Pending, InProgress, Paused, Completed, Failed, RolledBack, Cancelled)

// No step will ever follow by itself. (A Completed one may still be rolled back on request.)
[[nodiscard]] constexpr bool finished(DeploymentStatus status) {
  return status == DeploymentStatus::Completed || status == DeploymentStatus::Failed ||
         status == DeploymentStatus::RolledBack || status == DeploymentStatus::Cancelled;
}

// Run by the node against a fresh instance before a version is ready (source 000, HealthCheckConfig). Where the module
// exports no such function, the check is skipped, and the event says so.
struct HealthCheck {
  std::string functionName = "health_check";  // '_' and '-' match each other
  std::string expectedResult = "OK";
  int timeoutSeconds = 5;    // 1–60
  int successThreshold = 1;  // consecutive, 1–10
  int failureThreshold = 3;  // consecutive, 1–10
  bool enabled = true;
  bool operator==(const HealthCheck&) const = default;
};
BOOST_DESCRIBE_STRUCT(HealthCheck, (),
                      (functionName, expectedResult, timeoutSeconds, successThreshold, failureThreshold, enabled))

enum class StepKind { Prepare, Shift };
BOOST_DESCRIBE_ENUM(StepKind, Prepare, Shift)

// One step of a plan. Planners of all strategies express themselves in these.
struct Step {
  StepKind kind = StepKind::Prepare;
  std::vector<NodeId> nodes;    // Prepare: who must report the version ready. Shift: who must report the new routes.
  std::vector<Region> regions;  // Shift: whose routes change
  int weight = 100;             // Shift: percent of the new version
  bool operator==(const Step&) const = default;
};
BOOST_DESCRIBE_STRUCT(Step, (), (kind, nodes, regions, weight))

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
  bool operator==(const Deployment&) const = default;
};
BOOST_DESCRIBE_STRUCT(Deployment, (),
                      (deploymentId, moduleId, moduleName, targetRegions, targetNodes, strategy, strategyConfig, status,
                       progressPercent, succeededNodes, failedNodes, healthCheck, http, createdAt, createdBy, startedAt,
                       completedAt, approvedBy, approvedAt, errorMessage, previousModuleId, autoRollbackEnabled, plan,
                       step, stepStartedAt, routesBefore, regionsWithoutRouteBefore))

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
};
BOOST_DESCRIBE_STRUCT(DeploymentRequest, (),
                      (moduleId, targetRegions, targetNodes, strategy, strategyConfig, healthCheck, http,
                       autoRollbackEnabled))
[[nodiscard]] std::vector<FieldError> validate(const DeploymentRequest& request);

// One row of the append-only log. Sequences are per tenant, gap-free, and begin with 1.
enum class EventType {
  DeploymentCreated,
  DeploymentStarted,
  StepStarted,
  StepCompleted,
  RoutesChanged,
  DeploymentCompleted,
  DeploymentFailed,
  DeploymentRolledBack,
};
BOOST_DESCRIBE_ENUM(EventType, DeploymentCreated, DeploymentStarted, StepStarted, StepCompleted, RoutesChanged,
                    DeploymentCompleted, DeploymentFailed, DeploymentRolledBack)

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
