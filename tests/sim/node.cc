#include "node.h"

#include <fmt/format.h>

#include <algorithm>

namespace hotswap::sim {
namespace {

constexpr milliseconds kPollTimeout{5000};
constexpr milliseconds kReportEvery{1000};

}  // namespace

void Node::start() {
  if (up_) return;
  up_ = true;
  ++life_;
  started_ = world_.now();
  world_.note(fmt::format("{} starts", id_.str()));
  report();
  poll();
  beat();
}

void Node::crash() {
  if (!up_) return;
  up_ = false;
  ++life_;
  desired_ = {};
  versions_.clear();
  table_.clear();
  routed_ = 0;
  world_.note(fmt::format("{} crashes", id_.str()));
}

bool Node::ready(const ModuleId& version) const {
  const auto found = versions_.find(version);
  return up_ && found != versions_.end() && found->second.state == VersionState::Ready;
}

const std::vector<WeightedVersion>* Node::serves(const std::string& name) const {
  const auto found = table_.find(name);
  return !up_ || found == table_.end() ? nullptr : &found->second;
}

// One poll at a time; the answer to an earlier one is not listened to.
void Node::poll() {
  const int number = ++polls_;
  const int life = life_;
  const auto current = [this, number, life] { return life == life_ && number == polls_; };
  uplink_.poll(id_, region_, desired_.revision, [this, current](std::shared_ptr<const DesiredState> state) {
    if (!current()) return;
    if (state->revision != desired_.revision) take(*state);
    poll();
  });
  world_.after(kPollTimeout, [this, current] {
    if (current()) poll();
  });
}

void Node::take(const DesiredState& state) {
  desired_ = state;
  std::map<ModuleId, VersionReport> kept;
  for (const auto& version : desired_.versions) {
    const auto found = versions_.find(version.moduleId);
    if (found != versions_.end()) {
      kept.insert(*found);
    } else {
      kept[version.moduleId] = {
          .tenant = version.tenant, .moduleId = version.moduleId, .state = VersionState::Compiling, .reason = {}};
    }
  }
  const auto before = std::exchange(versions_, std::move(kept));
  for (const auto& version : desired_.versions) {
    if (!before.contains(version.moduleId)) prepare(version);
    if (version.checkNumber != 0 && versions_.at(version.moduleId).checkNumber != version.checkNumber) check(version);
  }
  route();
  report();
}

void Node::prepare(const DesiredVersion& version) {
  const bool faults = world_.scenario().failing_versions && !world_.is_calm();
  if (faults && world_.one_in(80)) return;  // for ever
  const bool fails = faults && world_.one_in(60);
  world_.after(world_.between(5, world_.one_in(10) ? 4000 : 300), [this, life = life_, id = version.moduleId, fails] {
    const auto found = versions_.find(id);
    // Dropped, or dropped and wanted again since.
    if (life != life_ || found == versions_.end() || found->second.state != VersionState::Compiling) return;
    found->second.state = fails ? VersionState::Failed : VersionState::Ready;
    const auto wanted = std::ranges::find(desired_.versions, id, &DesiredVersion::moduleId);
    if (wanted != desired_.versions.end()) found->second.checkNumber = wanted->checkNumber;
    if (fails) found->second.reason = "it traps";
    route();
    report();
  });
}

// Of a version that is ready; one that is not is prepared, and checked by that.
void Node::check(const DesiredVersion& version) {
  const bool faults = world_.scenario().failing_versions && !world_.is_calm();
  if (faults && world_.one_in(80)) return;  // for ever
  const bool fails = faults && world_.one_in(60);
  world_.after(world_.between(5, 200),
               [this, life = life_, id = version.moduleId, number = version.checkNumber, fails] {
                 const auto found = versions_.find(id);
                 const auto wanted = std::ranges::find(desired_.versions, id, &DesiredVersion::moduleId);
                 if (life != life_ || found == versions_.end() || found->second.state != VersionState::Ready ||
                     wanted == desired_.versions.end() || wanted->checkNumber != number) {
                   return;
                 }
                 found->second.checkNumber = number;
                 found->second.checkFailure = fails ? "it is ill" : "";
                 report();
               });
}

// What is ready of what the route asks for; where nothing of it is ready yet, what was served before.
void Node::route() {
  std::map<std::string, std::vector<WeightedVersion>> table;
  for (const auto& route : desired_.routes) {
    std::vector<WeightedVersion> choices;
    for (const auto& version : versions_on(route, id_)) {
      if (version.weight > 0 && ready(version.moduleId)) choices.push_back(version);
    }
    if (choices.empty()) {
      const auto before = table_.find(route.name);
      if (before == table_.end()) continue;
      choices = before->second;
    }
    table[route.name] = std::move(choices);
  }
  table_ = std::move(table);
  routed_ = desired_.revision;
}

void Node::report() {
  SentReport sent{.report = {.nodeId = id_,
                             .region = region_,
                             .routedRevision = routed_,
                             .knownRevision = desired_.revision,
                             .versions = {}},
                  .sent = world_.now()};
  for (const auto& [id, version] : versions_) sent.report.versions.push_back(version);
  world_.send(id_, [this, sent] { uplink_.report(sent); });
}

void Node::beat() {
  world_.after(kReportEvery, [this, life = life_] {
    if (life != life_) return;
    report();
    beat();
  });
}

}  // namespace hotswap::sim
