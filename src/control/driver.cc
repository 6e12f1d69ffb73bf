#include "control/driver.h"

#include <algorithm>

#include "base/log.h"
#include "rollout/decide.h"

namespace hotswap::control {
namespace {

std::vector<double> deployment_bounds() { return {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 1800, 3600}; }

std::string_view event_message(EventType type) {
  switch (type) {
    case EventType::DeploymentCreated:
      return "deployment created";
    case EventType::DeploymentStarted:
      return "deployment started";
    case EventType::StepStarted:
      return "deployment step started";
    case EventType::StepCompleted:
      return "deployment step completed";
    case EventType::RoutesChanged:
      return "routes changed";
    case EventType::DeploymentCompleted:
      return "deployment completed";
    case EventType::DeploymentFailed:
      return "deployment failed";
    case EventType::DeploymentRolledBack:
      return "deployment rolled back";
  }
  return "deployment changed";
}

void log_events(const std::vector<Event>& events, const Deployment& deployment) {
  for (const auto& event : events) {
    const auto level = event.type == EventType::DeploymentFailed ? log::Level::Warning : log::Level::Info;
    log::event(level, event_message(event.type), event.traceId,
               {{"deploymentId", deployment.deploymentId.str()},
                {"moduleId", deployment.moduleId.str()},
                {"status", enum_name(event.status)},
                {"by", event.by},
                {"detail", event.detail}});
  }
}

constexpr TimePoint kNever = TimePoint::max();
constexpr std::chrono::milliseconds kStoreRetry{1000};

}  // namespace

Driver::Driver(asio::any_io_executor home, const Options& options, Parts parts, Publication& publication, Fleet& fleet,
               Signal& reported)
    : home_(home),
      options_(options),
      parts_(parts),
      publication_(publication),
      fleet_(fleet),
      reported_(reported),
      events_(home),
      turnstile_(std::move(home)),
      executed_(parts.metrics.counter("wasm.deployments.executed.total", "Deployments whose execution began")),
      failed_(parts.metrics.counter("wasm.deployments.failed.total", "Deployments that failed, rolled back or not")),
      duration_(parts.metrics.histogram("wasm.deployment.duration", "Seconds from execution to the end of a deployment",
                                        deployment_bounds())) {}

Cause Driver::cause(std::string by, const TraceContext& trace) const {
  return {.by = std::move(by), .trace_id = trace.trace_id(), .at = parts_.clock.now()};
}

Task<void> Driver::run() {
  while (!stopping_) {
    const auto seen = reported_.count();
    const TimePoint next = co_await pass();
    fleet_.update_gauges();
    const auto pause =
        std::clamp<std::chrono::milliseconds>(next == kNever ? limits::kPrepareDeadline : next - parts_.clock.now(),
                                              std::chrono::milliseconds(0), limits::kPrepareDeadline);
    co_await reported_.wait(seen, std::chrono::steady_clock::now() + pause);
  }
}

void Driver::stop() {
  stopping_ = true;
  reported_.notify();
  events_.notify();
}

Task<TimePoint> Driver::pass() {
  std::vector<DeploymentId> running;
  for (const auto& [id, rollout] : unfinished_) {
    if (rollout.stored.deployment.status == DeploymentStatus::InProgress) running.push_back(id);
  }
  TimePoint next = kNever;
  if (!doubtful_.empty() && !co_await catch_up()) next = parts_.clock.now() + kStoreRetry;
  for (const auto& id : running) {
    if (stopping_) break;
    const TimePoint until = co_await advance(id);
    next = std::min(next, until);
  }
  co_return next;
}

// As far as the facts allow.
Task<TimePoint> Driver::advance(DeploymentId id) {
  const auto turn = co_await turnstile_.enter();
  while (!stopping_) {
    const auto found = unfinished_.find(id);
    if (found == unfinished_.end()) co_return kNever;
    Unfinished& rollout = found->second;
    if (rollout.stored.deployment.status != DeploymentStatus::InProgress) co_return kNever;
    const rollout::RolloutState state{.tenant = rollout.stored.tenant,
                                      .deployment = rollout.stored.deployment,
                                      .step_revision = std::max(rollout.step_revision, publication_.lifted()),
                                      .watched_since = rollout.watched_since};
    const auto decision = rollout::decide(state, fleet_.reports(), parts_.clock.now());
    if (const auto* wait = std::get_if<rollout::Wait>(&decision)) co_return wait->until;
    const auto done = co_await act(rollout, decision);
    if (!done) {
      log::error("deployment step could not be saved; trying again", rollout.trace.trace_id(),
                 {{"deploymentId", id.str()}, {"error", done.error().detail}});
      co_return parts_.clock.now() + kStoreRetry;
    }
  }
  co_return kNever;
}

Task<Result<>> Driver::act(Unfinished& rollout, const rollout::Decision& decision) {
  const Cause why = cause("system", rollout.trace);
  const TenantDeployment& stored = rollout.stored;
  Transition transition(stored, why);
  if (const auto* next = std::get_if<rollout::Advance>(&decision)) {
    transition = advanced(stored, next->next, why);
  } else if (const auto* failure = std::get_if<rollout::Fail>(&decision)) {
    transition = failed(stored, failure->reason, failure->nodes, why);
  } else {
    transition = completed(stored, why);
  }
  HS_CO_CHECK(co_await save(rollout.stored, transition));
  if (std::holds_alternative<rollout::Fail>(decision)) {
    failed_.add();
    rollout.span.fail();
  }
  publish(transition, rollout);
  co_return Result<>{};
}

Task<Result<>> Driver::save(TenantDeployment& stored, const Transition& transition) {
  const auto applied = co_await parts_.pool.run([&] { return parts_.store.apply(transition.change); });
  if (!applied) {
    // Whether it was committed is unknown where the connection broke; the store is asked before anything else is done.
    doubtful_.emplace(transition.change.deployment.deploymentId, transition.change.tenant);
    reported_.notify();
    co_return std::unexpected(applied.error());
  }
  stored.tenant = transition.change.tenant;
  stored.deployment = transition.change.deployment;
  stored.revision = applied->revision;
  log_events(applied->events, stored.deployment);
  events_.notify();
  co_return Result<>{};
}

// After save(): tells the nodes, and lets go of a deployment that is finished.
void Driver::publish(const Transition& transition, Unfinished& rollout) {
  const Deployment& deployment = transition.change.deployment;
  const std::string key = deployment.deploymentId.str();
  Publication::Change change;
  change.drop = transition.change.dropRoutes;
  for (const auto& route : transition.change.putRoutes) {
    RoutedVersions routed{.route = route, .versions = {}};
    for (const auto& weighted : route.versions) {
      const auto found = std::ranges::find(rollout.versions, weighted.moduleId,
                                           [](const SharedVersion& version) { return version->moduleId; });
      if (found == rollout.versions.end()) continue;
      auto plain = std::make_shared<DesiredVersion>(**found);
      plain->healthCheck.reset();
      routed.versions.push_back(std::move(plain));
    }
    change.put.push_back(std::move(routed));
  }
  const bool over = finished(deployment.status);
  if (over) {
    change.release.push_back(key);
  } else {
    change.hold[key] = {.regions = deployment.targetRegions, .versions = rollout.versions};
  }
  rollout.step_revision = publication_.apply(std::move(change));
  fleet_.published();
  if (over) finish(deployment.deploymentId);
}

void Driver::finish(const DeploymentId& id) {
  const auto found = unfinished_.find(id);
  if (found == unfinished_.end()) return;
  const Deployment& deployment = found->second.stored.deployment;
  if (deployment.startedAt && deployment.completedAt) {
    duration_.record(std::chrono::duration<double>(*deployment.completedAt - *deployment.startedAt).count());
  }
  found->second.span.attribute("status", enum_name(deployment.status));
  unfinished_.erase(found);
}

Task<std::optional<std::uint64_t>> Driver::event_count() {
  if (stopping_) co_return std::nullopt;
  co_return events_.count();
}

Task<void> Driver::next_event(std::uint64_t seen, std::chrono::milliseconds at_most) {
  if (stopping_) co_return;
  co_await events_.wait(seen, std::chrono::steady_clock::now() + at_most);
}

}  // namespace hotswap::control
