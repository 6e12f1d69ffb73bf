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

const VersionReport* find_version(const NodeReport& report, const RolloutState& state) {
  const auto found = std::ranges::find_if(report.versions, [&](const VersionReport& version) {
    return version.tenant == state.tenant && version.moduleId == state.deployment.moduleId;
  });
  return found == report.versions.end() ? nullptr : &*found;
}

Verdict prepared(const RolloutState& state, const Step& step, const FleetReports& reports) {
  Verdict verdict;
  for (const auto& node : step.nodes) {
    const auto view = reports.find(node);
    const bool current = view != reports.end() && view->second.known_revision >= state.step_revision;
    const VersionReport* version = current ? find_version(view->second.report, state) : nullptr;
    if (version != nullptr && version->state == VersionState::Failed) {
      verdict.failed.emplace_back(node, version->reason);
    } else if (version == nullptr || version->state != VersionState::Ready) {
      verdict.missing.push_back(node);
    }
  }
  return verdict;
}

Verdict shifted(const RolloutState& state, const Step& step, const FleetReports& reports) {
  Verdict verdict;
  for (const auto& node : step.nodes) {
    const auto view = reports.find(node);
    if (view == reports.end() || view->second.report.routedRevision < state.step_revision) {
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

Fail failed_nodes(const std::vector<std::pair<NodeId, std::string>>& failed) {
  Fail fail;
  for (const auto& [node, reason] : failed) {
    fail.nodes.push_back(node);
    if (!fail.reason.empty()) fail.reason += "; ";
    fail.reason += fmt::format("node {} could not prepare the version: {}", node.str(), reason);
  }
  return fail;
}

}  // namespace

Decision decide(const RolloutState& state, const FleetReports& reports, TimePoint now) {
  const Deployment& deployment = state.deployment;
  if (deployment.step >= static_cast<int>(deployment.plan.size())) return Complete{};
  const Step& step = deployment.plan[static_cast<std::size_t>(deployment.step)];
  const bool preparing = step.kind == StepKind::Prepare;

  Verdict verdict = preparing ? prepared(state, step, reports) : shifted(state, step, reports);
  if (!verdict.failed.empty()) return failed_nodes(verdict.failed);
  if (verdict.missing.empty()) {
    const int next = deployment.step + 1;
    if (next == static_cast<int>(deployment.plan.size())) return Complete{};
    return Advance{next};
  }
  const TimePoint since = std::max(deployment.stepStartedAt.value_or(state.watched_since), state.watched_since);
  const TimePoint deadline = since + limits::kPrepareDeadline;
  if (now < deadline) return Wait{deadline};
  return Fail{fmt::format("{} did not report {} within {} s", names(verdict.missing),
                          preparing ? "the version ready" : "the new routes", limits::kPrepareDeadline.count()),
              std::move(verdict.missing)};
}

int progress(const Deployment& deployment, int step) {
  if (deployment.plan.empty()) return 0;
  return static_cast<int>(100 * static_cast<std::size_t>(step) / deployment.plan.size());
}

}  // namespace hotswap::rollout
