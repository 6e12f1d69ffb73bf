#include "rollout/decide.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/limits.h"

namespace hotswap::rollout {
namespace {

struct Verdict {
  std::vector<NodeId> missing;                         // not there yet
  std::vector<std::pair<NodeId, std::string>> failed;  // with why
};

// The nodes of the step that are still there. Where all are lost they may as well come back: then all are waited for.
std::vector<NodeId> awaited(const RolloutState& state, const Step& step) {
  std::vector<NodeId> nodes = step.nodes;
  std::erase_if(nodes, [&](const NodeId& node) { return state.lost.contains(node); });
  return nodes.empty() ? step.nodes : nodes;
}

// What the report says of the version that the rollout brings.
const VersionReport* find_candidate(const NodeReport& report, const RolloutState& state) {
  return find_version(report, state.tenant, state.deployment.moduleId);
}

Verdict prepared(const RolloutState& state, const Step& step, const FleetReports& reports) {
  Verdict verdict;
  for (const auto& node : awaited(state, step)) {
    const auto view = reports.find(node);
    const bool current = view != reports.end() && view->second.knownRevision >= state.step_revision;
    const VersionReport* version = current ? find_candidate(view->second, state) : nullptr;
    if (version != nullptr && version->state == VersionState::Failed) {
      verdict.failed.emplace_back(node, version->reason);
    } else if (version == nullptr || version->state != VersionState::Ready) {
      verdict.missing.push_back(node);
    }
  }
  return verdict;
}

// As prepared(), and healthy by the run of the check that this step asked for.
Verdict checked(const RolloutState& state, const Step& step, const FleetReports& reports) {
  Verdict verdict = prepared(state, step, reports);
  for (const auto& node : awaited(state, step)) {
    const bool open =
        std::ranges::find(verdict.missing, node) == verdict.missing.end() &&
        std::ranges::find(verdict.failed, node, &std::pair<NodeId, std::string>::first) == verdict.failed.end();
    if (!open) continue;
    const VersionReport* version = find_candidate(reports.at(node), state);
    if (version->checkNumber != state.check_number) {
      verdict.missing.push_back(node);
    } else if (!version->checkFailure.empty()) {
      verdict.failed.emplace_back(node, version->checkFailure);
    }
  }
  return verdict;
}

Verdict shifted(const RolloutState& state, const Step& step, const FleetReports& reports) {
  Verdict verdict;
  for (const auto& node : awaited(state, step)) {
    const auto view = reports.find(node);
    if (view == reports.end() || view->second.routedRevision < state.step_revision) {
      verdict.missing.push_back(node);
    }
  }
  return verdict;
}

std::string names(const std::vector<NodeId>& nodes) {
  std::vector<std::string_view> texts;
  for (const auto& node : nodes) texts.push_back(node.str());
  return fmt::format("{} {}", nodes.size() == 1 ? "node" : "nodes", fmt::join(texts, ", "));
}

// Something went wrong in the step: what the plan and the deployment say about that.
Decision trouble(const RolloutState& state, const Step& step, std::string reason, std::vector<NodeId> nodes = {}) {
  const Deployment& deployment = state.deployment;
  if (deployment.aborting) return RollBack{std::move(reason), std::move(nodes)};
  if (step.onFailure == FailureAction::pause) return Pause{std::move(reason), std::move(nodes)};
  if (!deployment.autoRollbackEnabled) return Fail{std::move(reason), std::move(nodes)};
  return RollBack{std::move(reason), std::move(nodes), step.regionOnly ? step.regions : std::vector<Region>{}};
}

Decision failed_nodes(const RolloutState& state, const Step& step,
                      const std::vector<std::pair<NodeId, std::string>>& failed) {
  std::string text;
  std::vector<NodeId> nodes;
  for (const auto& [node, reason] : failed) {
    nodes.push_back(node);
    if (!text.empty()) text += "; ";
    text += step.kind == StepKind::Check ? fmt::format("node {} is not healthy: {}", node.str(), reason)
                                         : fmt::format("node {} could not prepare the version: {}", node.str(), reason);
  }
  return trouble(state, step, std::move(text), std::move(nodes));
}

Decision not_ready(const RolloutState& state, const Step& step, std::vector<NodeId> nodes, std::string_view what) {
  auto reason = fmt::format("{} did not report {} within {} s", names(nodes), what, limits::kPrepareDeadline.count());
  return trouble(state, step, std::move(reason), std::move(nodes));
}

TimePoint began(const RolloutState& state) { return state.deployment.stepStartedAt.value_or(state.watched_since); }

// The current step is done. Routes change only when every node that is there has the version: one that was lost while
// it was prepared may be back by now, and has its time from `due` on.
Decision after(const RolloutState& state, const FleetReports& reports, TimePoint now, TimePoint due) {
  const Deployment& deployment = state.deployment;
  const int next = deployment.step + 1;
  if (next == static_cast<int>(deployment.plan.size())) {
    // The last step of an aborted rollout led back already, but for what stood there exactly.
    if (deployment.aborting) return RollBack{deployment.errorMessage.value_or("aborted"), {}};
    return Complete{};
  }
  const Step& coming = deployment.plan[static_cast<std::size_t>(next)];
  if (!changes_routes(coming.kind)) return Advance{next};
  Verdict verdict = prepared(state, coming, reports);
  if (!verdict.failed.empty()) return failed_nodes(state, coming, verdict.failed);
  if (verdict.missing.empty()) return Advance{next};
  const TimePoint deadline = std::max(due, state.watched_since) + limits::kPrepareDeadline;
  if (now < deadline) return Wait{deadline};
  return not_ready(state, coming, std::move(verdict.missing), "the version ready");
}

bool gateways_know(const RolloutState& state, const FleetReports& reports) {
  return std::ranges::all_of(state.gateways, [&](const NodeId& node) {
    const auto view = reports.find(node);
    return view != reports.end() && view->second.routedRevision >= state.step_revision;
  });
}

// A step that is done when the nodes say so.
Decision by_nodes(const RolloutState& state, const Step& step, const FleetReports& reports, TimePoint now) {
  const bool preparing = !changes_routes(step.kind);
  const bool checking = step.kind == StepKind::Check;
  Verdict verdict = checking    ? checked(state, step, reports)
                    : preparing ? prepared(state, step, reports)
                                : shifted(state, step, reports);
  if (!verdict.failed.empty()) return failed_nodes(state, step, verdict.failed);
  const TimePoint deadline = std::max(began(state), state.watched_since) + limits::kPrepareDeadline;
  if (verdict.missing.empty()) {
    if (now < deadline && step.kind == StepKind::Shift && !gateways_know(state, reports)) return Wait{deadline};
    return after(state, reports, now, began(state));
  }
  if (now < deadline) return Wait{deadline};
  return not_ready(state, step, std::move(verdict.missing),
                   checking    ? "a health check"
                   : preparing ? "the version ready"
                               : "the new routes");
}

std::string reasons(const AnalysisRun& run, AnalysisOutcome outcome) {
  std::string text;
  for (const auto& result : run.last) {
    if (result.outcome != outcome) continue;
    if (!text.empty()) text += "; ";
    text += result.reason;
  }
  return text;
}

Decision measured(const RolloutState& state, const Step& step, TimePoint now, bool over) {
  const AnalysisRun& run = state.deployment.analysis;
  const auto question = step.gate == Gate::significant ? Question::better : Question::good_enough;
  const auto measurement = measure(*step.analysis, state.samples, run.measurements + 1, question);
  // Too few requests say nothing, and more may come while there is time.
  if (!measurement.enough && measurement.outcome != AnalysisOutcome::failure && !over) {
    return Wait{now + std::chrono::seconds(step.analysis->intervalSeconds)};
  }
  Measured made{.run = counted(run, measurement, now), .outcome = measurement.outcome};
  if (std::ranges::find(step.analysis->metrics, MetricKind::shadowMismatch, &AnalysisMetric::metric) !=
      step.analysis->metrics.end()) {
    made.shadow = report_of(state.samples.shadow);
  }
  return made;
}

Decision hold(const RolloutState& state, const Step& step, const FleetReports& reports, TimePoint now) {
  const Deployment& deployment = state.deployment;
  if (const auto verdict = prepared(state, step, reports); !verdict.failed.empty()) {
    return failed_nodes(state, step, verdict.failed);
  }
  const TimePoint until = began(state) + std::chrono::seconds(step.seconds);
  if (deployment.promotedFully || deployment.promotedStep == deployment.step) {
    return after(state, reports, now, state.watched_since);
  }
  const bool over = now >= until;
  const bool asked = step.gate == Gate::manual;
  if (!step.analysis || deployment.aborting) {
    if (asked && !deployment.aborting) return Wait{TimePoint::max()};
    return over ? after(state, reports, now, until) : Decision(Wait{until});
  }

  const AnalysisConfig& config = *step.analysis;
  const AnalysisRun& run = deployment.analysis;
  if (run.failures >= config.failureLimit) {
    return trouble(state, step, "the analysis failed: " + reasons(run, AnalysisOutcome::failure));
  }
  const bool significant = step.gate == Gate::significant;
  if (run.successes >= config.successLimit && !asked && (over || significant)) {
    return after(state, reports, now, std::max(until, *run.lastAt));
  }
  // While a test for significance goes on, not to know yet is no news.
  const bool undecided = significant ? over && run.inconclusives > 0 && run.lastAt >= until
                                     : run.inconclusives >= config.inconclusiveLimit;
  if (undecided && !asked) {
    return Pause{"the analysis is inconclusive: " + reasons(run, AnalysisOutcome::inconclusive), {}};
  }
  const TimePoint due = run.lastAt.value_or(began(state)) + std::chrono::seconds(config.intervalSeconds);
  if (now >= due || (significant && over)) return measured(state, step, now, over);
  return Wait{over || asked ? due : std::min(due, until)};
}

}  // namespace

Decision decide(const RolloutState& state, const FleetReports& reports, TimePoint now) {
  const Deployment& deployment = state.deployment;
  if (deployment.step >= static_cast<int>(deployment.plan.size())) return Complete{};
  const Step& step = deployment.plan[static_cast<std::size_t>(deployment.step)];

  const auto gone = std::ranges::count_if(step.nodes, [&](const NodeId& node) { return state.lost.contains(node); });
  if (step.maxUnavailable && gone > *step.maxUnavailable && step.kind != StepKind::Retire) {
    std::vector<NodeId> lost = step.nodes;
    std::erase_if(lost, [&](const NodeId& node) { return !state.lost.contains(node); });
    auto reason = fmt::format("{} lost, {} may be (maxUnavailable)", names(lost), *step.maxUnavailable);
    return trouble(state, step, std::move(reason), std::move(lost));
  }
  if (step.kind == StepKind::Hold) return hold(state, step, reports, now);
  if (step.kind == StepKind::Retire) {
    const TimePoint until = began(state) + std::chrono::seconds(step.seconds);
    const bool over = now >= until || deployment.promotedStep == deployment.step;
    return over ? after(state, reports, now, until) : Decision(Wait{until});
  }
  return by_nodes(state, step, reports, now);
}

bool measures(const Deployment& deployment, TimePoint now) {
  if (deployment.step >= static_cast<int>(deployment.plan.size())) return false;
  const Step& step = deployment.plan[static_cast<std::size_t>(deployment.step)];
  if (step.kind != StepKind::Hold || !step.analysis) return false;
  const auto last = deployment.analysis.lastAt ? deployment.analysis.lastAt : deployment.stepStartedAt;
  return !last || now >= *last + std::chrono::seconds(step.analysis->intervalSeconds) || step.gate == Gate::significant;
}

std::optional<TimePoint> measurement_due(const Deployment& deployment) {
  if (deployment.step >= static_cast<int>(deployment.plan.size()) || !deployment.stepStartedAt) return std::nullopt;
  const Step& step = deployment.plan[static_cast<std::size_t>(deployment.step)];
  if (step.kind != StepKind::Hold || !step.analysis) return std::nullopt;
  const TimePoint due = deployment.analysis.lastAt.value_or(*deployment.stepStartedAt) +
                        std::chrono::seconds(step.analysis->intervalSeconds);
  // A test for significance is measured once more when its time is over.
  const TimePoint until = *deployment.stepStartedAt + std::chrono::seconds(step.seconds);
  return step.gate == Gate::significant ? std::min(due, until) : due;
}

std::set<NodeId> asked_about(const Deployment& deployment) {
  std::set<NodeId> nodes;
  const auto step = static_cast<std::size_t>(deployment.step);
  for (std::size_t i = step; i < std::min(deployment.plan.size(), step + 2); ++i) {
    nodes.insert(deployment.plan[i].nodes.begin(), deployment.plan[i].nodes.end());
  }
  return nodes;
}

bool checks(const Deployment& deployment) {
  return deployment.status == DeploymentStatus::InProgress &&
         deployment.step < static_cast<int>(deployment.plan.size()) &&
         deployment.plan[static_cast<std::size_t>(deployment.step)].kind == StepKind::Check;
}

int progress(const Deployment& deployment, int step) {
  if (deployment.plan.empty()) return 0;
  return static_cast<int>(100 * static_cast<std::size_t>(step) / deployment.plan.size());
}

}  // namespace hotswap::rollout
