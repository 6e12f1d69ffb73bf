#include "control/driver.h"

#include <boost/asio/co_spawn.hpp>

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
    case EventType::DeploymentApproved:
      return "deployment approved";
    case EventType::DeploymentStopped:
      return "deployment stopped: it breaks callers";
    case EventType::DeploymentQueued:
      return "deployment queued";
    case EventType::DeploymentStarted:
      return "deployment started";
    case EventType::StepStarted:
      return "deployment step started";
    case EventType::StepCompleted:
      return "deployment step completed";
    case EventType::RoutesChanged:
      return "routes changed";
    case EventType::AnalysisMeasured:
      return "deployment measured";
    case EventType::DeploymentPaused:
      return "deployment paused";
    case EventType::DeploymentResumed:
      return "deployment resumed";
    case EventType::DeploymentPromoted:
      return "deployment promoted";
    case EventType::DeploymentAborted:
      return "deployment aborted";
    case EventType::DeploymentRetried:
      return "deployment retried";
    case EventType::DeploymentCompleted:
      return "deployment completed";
    case EventType::DeploymentFailed:
      return "deployment failed";
    case EventType::DeploymentRolledBack:
      return "deployment rolled back";
    case EventType::DeploymentCancelled:
      return "deployment cancelled";
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

// Of the current step.
std::vector<std::string> queries_of(const Deployment& deployment) {
  std::vector<std::string> queries;
  if (deployment.step >= static_cast<int>(deployment.plan.size())) return queries;
  const Step& step = deployment.plan[static_cast<std::size_t>(deployment.step)];
  if (!step.analysis) return queries;
  for (const auto& metric : step.analysis->metrics) {
    if (metric.query) queries.push_back(*metric.query);
  }
  return queries;
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
    co_await rest();
    const auto pause =
        std::clamp<std::chrono::milliseconds>(next == kNever ? limits::kPrepareDeadline : next - parts_.clock.now(),
                                              std::chrono::milliseconds(0), limits::kPrepareDeadline);
    co_await reported_.wait(seen, std::chrono::steady_clock::now() + pause);
  }
  while (asking_ > 0) co_await reported_.wait(reported_.count(), std::chrono::steady_clock::time_point::max());
}

// A thousand nodes report by the thousand a second while a rollout touches them. What they say together is looked at
// together, so that looking takes a quarter of the time at most; few nodes cause no rest worth a timer.
Task<void> Driver::rest() {
  constexpr int kRestPerLook = 3;
  constexpr std::chrono::milliseconds kShortest{1};
  constexpr std::chrono::milliseconds kLongest{100};
  const auto wanted = kRestPerLook * std::exchange(looking_, {});
  if (stopping_ || wanted < kShortest) co_return;
  asio::steady_timer timer(home_, std::min<std::chrono::nanoseconds>(wanted, kLongest));
  co_await timer.async_wait(asio::use_awaitable);
}

void Driver::stop() {
  stopping_ = true;
  reported_.notify();
  events_.notify();
}

Task<TimePoint> Driver::pass() {
  TimePoint next = kNever;
  if (!doubtful_.empty() && !co_await catch_up()) next = parts_.clock.now() + kStoreRetry;
  if (!co_await start_queued()) next = parts_.clock.now() + kStoreRetry;
  std::vector<DeploymentId> running;
  for (const auto& [id, rollout] : unfinished_) {
    if (rollout.stored.deployment.status == DeploymentStatus::InProgress) running.push_back(id);
  }
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
    if (!answered(id, rollout)) co_return kNever;
    const auto began = std::chrono::steady_clock::now();
    const rollout::RolloutState state = co_await facts(rollout);
    const auto decision = rollout::decide(state, fleet_.reports(), parts_.clock.now());
    looking_ += std::chrono::steady_clock::now() - began;
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

bool Driver::answered(const DeploymentId& id, Unfinished& rollout) {
  if (parts_.prometheus == nullptr || options_.samples) return true;
  const Deployment& deployment = rollout.stored.deployment;
  const auto due = rollout::measurement_due(deployment);
  if (!due || parts_.clock.now() < *due || (rollout.answers && rollout.answers->asked_at >= *due)) return true;
  auto queries = queries_of(deployment);
  if (queries.empty()) return true;
  if (!std::exchange(rollout.asking, true)) {
    ++asking_;
    asio::co_spawn(home_, ask_queries(id, std::move(queries)), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  }
  return false;
}

Task<void> Driver::ask_queries(DeploymentId id, std::vector<std::string> queries) {
  const TimePoint asked_at = parts_.clock.now();
  auto given = co_await parts_.prometheus->ask(std::move(queries));
  --asking_;
  if (const auto found = unfinished_.find(id); found != unfinished_.end()) {
    found->second.asking = false;
    found->second.answers = {asked_at, std::move(given)};
  }
  reported_.notify();
}

// Where the current step brings a route that its region did not have: the nodes there that can be deployed to and are
// not part of it.
std::set<NodeId> Driver::gateways(const Deployment& deployment) const {
  std::set<NodeId> ids;
  const Step& step = deployment.plan[static_cast<std::size_t>(deployment.step)];
  if (step.kind != StepKind::Shift) return ids;
  std::vector<Region> regions = step.regions;
  const auto& without = deployment.regionsWithoutRouteBefore;
  std::erase_if(regions, [&](const Region& region) { return std::ranges::find(without, region) == without.end(); });
  for (auto& node : fleet_.nodes(regions)) {
    const bool part = std::ranges::find(step.nodes, node.id) != step.nodes.end();
    if (node.healthy && !part) ids.insert(std::move(node.id));
  }
  return ids;
}

Task<rollout::RolloutState> Driver::facts(const Unfinished& rollout) {
  const Deployment& deployment = rollout.stored.deployment;
  rollout::RolloutState state{.tenant = rollout.stored.tenant,
                              .deployment = deployment,
                              .step_revision = std::max(rollout.step_revision, publication_.lifted()),
                              .check_number = rollout.check_number,
                              .watched_since = rollout.watched_since};
  const TimePoint now = parts_.clock.now();
  for (const auto& id : rollout::asked_about(deployment)) {
    // After a restart of the control plane nodes need their time to be heard of again.
    const auto condition = fleet_.condition(id);
    const bool lost = condition ? *condition == NodeCondition::Unhealthy || *condition == NodeCondition::Leaving
                                : now - rollout.watched_since > options_.liveness.unhealthy_after;
    if (lost) state.lost.insert(id);
  }
  state.gateways = gateways(deployment);
  if (!rollout::measures(deployment, now)) co_return state;
  const Step& step = deployment.plan[static_cast<std::size_t>(deployment.step)];
  SampleQuestion question{.tenant = state.tenant,
                          .name = deployment.moduleName,
                          .candidate = deployment.moduleId,
                          .baseline = {},
                          .regions = step.regions,
                          .since = deployment.stepStartedAt.value_or(now),
                          .queries = {}};
  for (const auto& route : deployment.routesBefore) {
    for (const auto& version : route.versions) {
      if (version.moduleId != deployment.moduleId) question.baseline.push_back(version.moduleId);
    }
  }
  question.queries = queries_of(deployment);
  if (options_.samples) {
    state.samples = co_await options_.samples(std::move(question));
  } else {
    state.samples = fleet_.samples(question);
    if (rollout.answers) {
      state.samples.queries = rollout.answers->given.values;
      state.samples.query_problems = rollout.answers->given.problems;
    } else if (parts_.prometheus == nullptr) {
      for (const auto& query : question.queries) {
        state.samples.query_problems[query] = "no Prometheus server is known: start with --prometheus-url";
      }
    }
  }
  co_return state;
}

Task<Result<>> Driver::act(Unfinished& rollout, const rollout::Decision& decision) {
  const auto transition = decided(rollout.stored, decision, cause("system", rollout.trace));
  HS_CO_CHECK(co_await save(rollout.stored, transition));
  if (std::holds_alternative<rollout::Fail>(decision) || std::holds_alternative<rollout::RollBack>(decision)) {
    failed_.add();
    rollout.span.fail();
  }
  // A measurement changes nothing that a node sees, and a pause neither.
  const bool seen =
      !std::holds_alternative<rollout::Measured>(decision) && !std::holds_alternative<rollout::Pause>(decision);
  if (seen) publish(transition, rollout);
  co_return Result<>{};
}

// Those whose turn has come, in the order in which they were executed. False where one has to be tried again later.
Task<bool> Driver::start_queued() {
  std::vector<std::pair<TimePoint, DeploymentId>> waiting;
  for (const auto& [id, rollout] : unfinished_) {
    const Deployment& deployment = rollout.stored.deployment;
    if (deployment.status == DeploymentStatus::Pending && deployment.queuedAt) {
      waiting.emplace_back(*deployment.queuedAt, id);
    }
  }
  std::ranges::sort(waiting);
  bool all = true;
  for (const auto& [at, id] : waiting) {
    const auto turn = co_await turnstile_.enter();
    const auto found = unfinished_.find(id);
    if (stopping_ || found == unfinished_.end()) continue;
    TenantDeployment stored = found->second.stored;
    if (stored.deployment.status != DeploymentStatus::Pending || !stored.deployment.queuedAt) continue;
    if (ahead(stored.tenant, stored.deployment) != nullptr) continue;
    const TraceContext trace = found->second.trace;
    // Whoever went first may have left another version in place.
    const auto fits = co_await check_callers(stored, cause("system", trace));
    if (stored.deployment.status == DeploymentStatus::Pending && !stored.deployment.queuedAt) continue;
    Result<Deployment> begun = std::unexpected(fits ? Error{} : fits.error());
    if (fits) begun = co_await begin(stored, "system", trace);
    if (begun) continue;
    // Nodes and the store may come back; what else is wrong stays wrong.
    if (begun.error().kind == ErrorKind::kUnavailable) {
      all = false;
      continue;
    }
    const auto ended = failed(stored, begun.error().detail, {}, cause("system", trace));
    const auto saved = co_await save(stored, ended);
    if (saved) publish(ended, unfinished_[id]);
    all = all && saved;
  }
  co_return all;
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
  if (!transition.change.mails.empty()) parts_.mailer.notify();
  co_return Result<>{};
}

// After save(): tells the nodes, and lets go of a deployment that is finished.
void Driver::publish(const Transition& transition, Unfinished& rollout) {
  const Deployment& deployment = transition.change.deployment;
  const bool over = finished(deployment.status);
  if (const auto number = ask_for_check(publication_, deployment, rollout.versions)) rollout.check_number = *number;
  Publication::Change change = publication_change(transition.change, rollout.versions);
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
  reported_.notify();  // whoever waits for the route may begin
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
