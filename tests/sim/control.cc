#include "control.h"

#include <fmt/format.h>

#include <algorithm>

#include "rollout/planner.h"

namespace hotswap::sim {
namespace {

constexpr milliseconds kSilence{15'000};
constexpr milliseconds kTick{1000};
constexpr int kRollbackTries = 20;

control::SharedVersion version_of(const ModuleId& id, const std::string& name) {
  DesiredVersion version;
  version.tenant = kTenant;
  version.moduleId = id;
  version.name = name;
  return std::make_shared<const DesiredVersion>(std::move(version));
}

bool overlap(const std::vector<Region>& a, const std::vector<Region>& b) {
  return std::ranges::any_of(a, [&b](const Region& region) { return contains(b, region); });
}

}  // namespace

void Control::start() {
  if (up()) return;
  ++lives_;
  const milliseconds skew = world_.scenario().skew ? world_.between(-2000, 2000) : milliseconds(0);
  const auto first = (world_.now() + skew).time_since_epoch().count() * 1000;
  life_ = std::make_unique<Life>(world_.now(), skew, first, regions_);
  world_.note("control plane starts");
  control::Publication::Change change;
  for (const auto& [key, route] : store_.routes()) {
    control::RoutedVersions routed{.route = route, .versions = {}};
    for (const auto& id : versions_of(route)) routed.versions.push_back(version_of(id, route.name));
    change.put.push_back(std::move(routed));
  }
  life_->publication.apply(std::move(change));
  for (const auto& [id, stored] : store_.deployments()) {
    if (!finished(stored.deployment.status)) take_up(stored);
  }
  tick();
}

void Control::crash() {
  if (!up()) return;
  life_.reset();
  ++lives_;
  world_.note("control plane crashes");
}

void Control::take_up(const TenantDeployment& stored) {
  Running& running = life_->running[stored.deployment.deploymentId];
  running.stored = stored;
  running.watched_since = clock();
  if (stored.deployment.status == DeploymentStatus::Pending) return;
  running.versions = versions_for(stored.deployment);
  ask_for_check(running);
  running.step_revision =
      life_->publication.apply({.put = {},
                                .drop = {},
                                .hold = {{stored.deployment.deploymentId.str(),
                                          {.regions = stored.deployment.targetRegions, .versions = running.versions}}},
                                .release = {}});
}

void Control::ask_for_check(Running& running) {
  const auto number = control::ask_for_check(life_->publication, running.stored.deployment, running.versions);
  if (number) running.check_number = *number;
}

std::vector<control::SharedVersion> Control::versions_for(const Deployment& deployment) const {
  std::vector<control::SharedVersion> versions{version_of(deployment.moduleId, deployment.moduleName)};
  for (const auto& route : deployment.routesBefore) {
    for (const auto& id : versions_of(route)) versions.push_back(version_of(id, deployment.moduleName));
  }
  return versions;
}

// ---- nodes

Control::Seen& Control::hear(const NodeId& node, const Region& region) {
  Seen& seen = life_->seen[node];
  seen.region = region;
  seen.heard = world_.now();
  return seen;
}

void Control::poll(const NodeId& node, const Region& region, std::int64_t after,
                   std::function<void(std::shared_ptr<const DesiredState>)> answer) {
  world_.send(node, [this, node, region, after, answer = std::move(answer)]() mutable {
    if (!up()) return;
    auto& publication = life_->publication;
    const bool first = !life_->seen.contains(node);
    hear(node, region);
    if (after == 0) life_->reports.erase(node);
    if (first && after == publication.revision(region)) publication.claim(publication.revision() + 1);
    if (publication.claim(after) || first) published();
    life_->waiting[node] = {.region = region, .after = after, .answer = std::move(answer)};
    published();
  });
}

void Control::published() {
  auto& waiting = life_->waiting;
  for (auto entry = waiting.begin(); entry != waiting.end();) {
    const auto& [node, poll] = *entry;
    if (life_->publication.revision(poll.region) == poll.after) {
      ++entry;
      continue;
    }
    world_.send(node, [answer = poll.answer, state = life_->publication.state(poll.region)] { answer(state); });
    entry = waiting.erase(entry);
  }
}

void Control::report(const SentReport& sent) {
  if (!up()) return;
  Seen& seen = hear(sent.report.nodeId, sent.report.region);
  // Messages of one connection stay in order; what a dead connection still delivers is older and says nothing new.
  if (sent.sent < seen.sent) return;
  seen.sent = sent.sent;
  if (life_->publication.claim(sent.report.routedRevision)) published();
  life_->reports[sent.report.nodeId] = sent.report;
  pass();
}

bool Control::lost(const NodeId& node) const {
  if (!up()) return true;
  const auto seen = life_->seen.find(node);
  const TimePoint since = seen == life_->seen.end() ? life_->begun : seen->second.heard;
  return world_.now() - since > kSilence;
}

std::optional<TimePoint> Control::heard_last(const NodeId& node) const {
  if (!up() || !life_->reports.contains(node)) return std::nullopt;
  return life_->seen.at(node).sent;
}

// ---- the loop

void Control::tick() {
  world_.after(kTick, [this, life = lives_] {
    if (!up() || life != lives_) return;
    pass();
    if (up() && life == lives_) tick();
  });
}

void Control::pass() {
  std::vector<DeploymentId> running;
  for (const auto& [id, one] : life_->running) {
    if (one.stored.deployment.status == DeploymentStatus::InProgress) running.push_back(id);
  }
  for (const auto& id : running) {
    if (!up()) return;
    push(id);
  }
}

rollout::RolloutState Control::facts(const Running& running) const {
  const Deployment& deployment = running.stored.deployment;
  rollout::RolloutState state{.tenant = kTenant,
                              .deployment = deployment,
                              .step_revision = std::max(running.step_revision, life_->publication.lifted()),
                              .check_number = running.check_number,
                              .watched_since = running.watched_since};
  for (const auto& node : rollout::asked_about(deployment)) {
    if (lost(node)) state.lost.insert(node);
  }
  // Fifty requests a second; whether the version is a bad one follows from its name.
  const auto seconds = (clock() - deployment.stepStartedAt.value_or(clock())).count() / 1000;
  const auto requests = static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0) * 50);
  const bool bad = std::hash<std::string>{}(deployment.moduleId.str()) % 4 == 0;
  state.samples.candidate = {.requests = requests, .errors = bad ? requests / 3 : 0, .latency = {}};
  state.samples.baseline = {.requests = requests, .errors = 0, .latency = {}};
  return state;
}

void Control::push(const DeploymentId& id) {
  const int life = lives_;
  while (up() && life == lives_) {
    const auto found = life_->running.find(id);
    if (found == life_->running.end()) return;
    Running& running = found->second;
    if (running.stored.deployment.status != DeploymentStatus::InProgress) return;
    const auto decision = rollout::decide(facts(running), life_->reports, clock());
    if (std::holds_alternative<rollout::Wait>(decision)) return;
    const bool seen =
        !std::holds_alternative<rollout::Measured>(decision) && !std::holds_alternative<rollout::Pause>(decision);
    if (!commit(running, control::decided(running.stored, decision, cause("system")), seen)) return;
  }
}

Result<> Control::commit(Running& running, const control::Transition& transition, bool publish) {
  const DeploymentId id = transition.change.deployment.deploymentId;
  if (world_.scenario().control_crashes && !world_.is_calm() && world_.one_in(80)) {
    crash();  // before the store hears of it
    return fail(ErrorKind::kUnavailable, "crashed");
  }
  const auto applied = store_.apply(transition.change);
  if (!applied) {
    crash();
    return std::unexpected(applied.error());
  }
  if (world_.scenario().control_crashes && !world_.is_calm() && world_.one_in(80)) {
    crash();  // before anybody else hears of it
    return fail(ErrorKind::kUnavailable, "crashed");
  }
  running.stored = {.tenant = kTenant, .deployment = transition.change.deployment, .revision = applied->revision};
  if (publish) {
    ask_for_check(running);
    running.step_revision = life_->publication.apply(control::publication_change(transition.change, running.versions));
    published();
  }
  if (finished(transition.change.deployment.status)) life_->running.erase(id);
  return {};
}

// ---- what people ask for

bool Control::alone(const Deployment& deployment) const {
  return std::ranges::none_of(life_->running, [&](const auto& entry) {
    const Deployment& other = entry.second.stored.deployment;
    return entry.first != deployment.deploymentId && other.moduleName == deployment.moduleName &&
           overlap(other.targetRegions, deployment.targetRegions);
  });
}

Result<> Control::create(Deployment deployment) {
  if (!up()) return fail(ErrorKind::kUnavailable, "down");
  if (!alone(deployment)) return fail(ErrorKind::kConflict, "not alone");
  const DeploymentId id = deployment.deploymentId;
  const auto applied = store_.apply(control::created(kTenant, deployment, cause("ann")).change);
  if (!applied) {
    crash();
    return std::unexpected(applied.error());
  }
  Running& running = life_->running[id];
  running.stored = store_.deployment(id);
  return {};
}

Result<> Control::execute(const DeploymentId& id) {
  if (!up()) return fail(ErrorKind::kUnavailable, "down");
  const auto& stored = store_.deployment(id);
  if (stored.deployment.status != DeploymentStatus::Pending) return {};
  return begin(stored);
}

Result<> Control::begin(TenantDeployment stored) {
  Deployment& deployment = stored.deployment;
  rollout::PlanInput input{.tenant = kTenant,
                           .module_id = deployment.moduleId,
                           .module_name = deployment.moduleName,
                           .regions = deployment.targetRegions,
                           .nodes = {},
                           .routes = {},
                           .config = deployment.strategyConfig};
  for (const auto& [node, seen] : life_->seen) {
    if (!contains(deployment.targetRegions, seen.region)) continue;
    input.nodes.push_back({node, seen.region, !lost(node)});
  }
  const bool keep = deployment.status == DeploymentStatus::Failed;
  if (!keep) {
    deployment.routesBefore.clear();
    deployment.regionsWithoutRouteBefore.clear();
  }
  for (const auto& region : deployment.targetRegions) {
    const auto* routed = life_->publication.route(kTenant, deployment.moduleName, region);
    if (routed != nullptr) input.routes.push_back(routed->route);
    if (keep) continue;
    if (routed != nullptr) {
      deployment.routesBefore.push_back(routed->route);
    } else {
      deployment.regionsWithoutRouteBefore.push_back(region);
    }
  }
  HS_TRY(deployment.plan, rollout::plan(deployment.strategy, input));
  Running& running = life_->running[deployment.deploymentId];
  running.stored = stored;
  running.versions = versions_for(deployment);
  running.watched_since = clock();
  return commit(running, control::started(stored, cause("ann")), true);
}

Result<> Control::ask(const DeploymentId& id, const Verb& verb) {
  if (!up()) return fail(ErrorKind::kUnavailable, "down");
  const auto found = life_->running.find(id);
  if (found == life_->running.end()) return fail(ErrorKind::kConflict, "it has ended");
  HS_TRY(const auto transition, verb(found->second.stored, cause("ann")));
  if (!transition) return {};
  found->second.watched_since = clock();
  return commit(found->second, *transition, true);
}

Result<> Control::retry(const DeploymentId& id) {
  if (!up()) return fail(ErrorKind::kUnavailable, "down");
  const TenantDeployment stored = store_.deployment(id);
  if (!finished(stored.deployment.status)) return ask(id, &control::retry);
  if (stored.deployment.status == DeploymentStatus::Completed || !alone(stored.deployment)) {
    return fail(ErrorKind::kConflict, "not now");
  }
  // A failed one is retried only over what it left itself.
  for (const auto& region : stored.deployment.targetRegions) {
    const auto* routed = life_->publication.route(kTenant, stored.deployment.moduleName, region);
    if (routed == nullptr || stored.deployment.status != DeploymentStatus::Failed) continue;
    for (const auto& version : versions_of(routed->route)) {
      const bool known = version == stored.deployment.moduleId ||
                         std::ranges::any_of(stored.deployment.routesBefore, [&](const Route& before) {
                           return contains(versions_of(before), version);
                         });
      if (!known) return fail(ErrorKind::kConflict, "deployed since");
    }
  }
  return begin(stored);
}

Result<> Control::rollback(const DeploymentId& id) {
  if (!up()) return fail(ErrorKind::kUnavailable, "down");
  const TenantDeployment stored = store_.deployment(id);
  const auto status = stored.deployment.status;
  if (status == DeploymentStatus::RolledBack || status == DeploymentStatus::Cancelled) return {};
  if (!finished(status)) {
    return ask(id, [](const TenantDeployment& from, const control::Cause& why) -> control::Asked {
      return control::rolled_back(from, std::nullopt, why);
    });
  }
  if (!alone(stored.deployment)) return fail(ErrorKind::kConflict, "not alone");
  // The versions before are made ready first; the routes change when every live node has them.
  const std::int64_t revision = life_->publication.apply(
      {.put = {},
       .drop = {},
       .hold = {{"rollback:" + id.str(),
                 {.regions = stored.deployment.targetRegions, .versions = versions_for(stored.deployment)}}},
       .release = {}});
  published();
  finish_rollback(id, revision, kRollbackTries);
  return {};
}

bool Control::all_ready(const Deployment& deployment, std::int64_t revision) const {
  const std::int64_t since = std::max(revision, life_->publication.lifted());
  return std::ranges::all_of(life_->seen, [&](const auto& entry) {
    const auto& [node, seen] = entry;
    if (!contains(deployment.targetRegions, seen.region) || lost(node)) return true;
    const auto view = life_->reports.find(node);
    if (view == life_->reports.end() || view->second.knownRevision < since) return false;
    return std::ranges::all_of(deployment.routesBefore, [&](const Route& route) {
      return std::ranges::all_of(versions_of(route), [&](const ModuleId& id) {
        return std::ranges::any_of(view->second.versions, [&](const VersionReport& version) {
          return version.moduleId == id && version.state == VersionState::Ready;
        });
      });
    });
  });
}

void Control::finish_rollback(const DeploymentId& id, std::int64_t revision, int tries) {
  world_.after(milliseconds(500), [this, id, revision, tries, life = lives_] {
    if (!up() || life != lives_) return;
    const TenantDeployment stored = store_.deployment(id);
    const bool possible = finished(stored.deployment.status) && alone(stored.deployment) &&
                          stored.deployment.status != DeploymentStatus::RolledBack;
    if (possible && !all_ready(stored.deployment, revision) && tries > 0) {
      return finish_rollback(id, revision, tries - 1);
    }
    if (possible && all_ready(stored.deployment, revision)) {
      Running ended;
      ended.stored = stored;
      ended.versions = versions_for(stored.deployment);
      if (!commit(ended, control::rolled_back(stored, std::nullopt, cause("ann")), true)) return;
    }
    life_->publication.apply({.put = {}, .drop = {}, .hold = {}, .release = {"rollback:" + id.str()}});
    published();
  });
}

}  // namespace hotswap::sim
