#include "control/figures.h"

#include <algorithm>

#include "base/limits.h"
#include "base/metrics.h"

namespace hotswap::control {
namespace {

// Reports of a node name its versions in the same order, but for the few that came or went.
const VersionMetrics* find_metrics(const NodeReport& report, const VersionMetrics& like, std::size_t likely) {
  const auto same = [&like](const VersionMetrics& metrics) {
    return metrics.moduleId == like.moduleId && metrics.tenant == like.tenant;
  };
  const auto& all = report.versionMetrics;
  if (likely < all.size() && same(all[likely])) return &all[likely];
  const auto found = std::ranges::find_if(all, same);
  return found == all.end() ? nullptr : &*found;
}

bool had_ready(const NodeReport& report, const VersionMetrics& like) {
  return std::ranges::any_of(report.versions, [&like](const VersionReport& version) {
    return version.moduleId == like.moduleId && version.tenant == like.tenant && version.state == VersionState::Ready;
  });
}

// What happened between two reports of a node. A version that the one before did not call ready may bring figures of a
// time when the node held it earlier.
VersionMetrics news(const NodeReport& before, const NodeReport& after, std::size_t index) {
  VersionMetrics nothing;
  const VersionMetrics& now = after.versionMetrics[index];
  const VersionMetrics* earlier = find_metrics(before, now, index);
  const bool reborn = before.incarnation != after.incarnation;
  if (earlier == nullptr && !reborn && !had_ready(before, now)) return nothing;
  return difference({before.incarnation, earlier == nullptr ? nothing : *earlier}, {after.incarnation, now});
}

// A node that counts backwards, or otherwise than every node, says nothing.
bool plausible(const VersionMetrics& window) {
  static const std::size_t kBuckets = latency_bounds().size() + 1;
  return window.requests > 0 && window.failures >= 0 && window.failures <= window.requests &&
         window.latency.size() <= kBuckets &&
         std::ranges::all_of(window.latency, [](std::int64_t count) { return count >= 0; });
}

// Every second goes, and later ones stand as far apart: what takes long needs them less close together.
template <class Marks>
void thin_out(Marks& marks) {
  Marks fewer;
  for (std::size_t i = 0; i < marks.size(); i += 2) fewer.push_back(std::move(marks[i]));
  marks.swap(fewer);
}

}  // namespace

std::vector<VersionMetrics> counted_between(const NodeReport& before, const NodeReport& after) {
  std::vector<VersionMetrics> windows;
  for (std::size_t i = 0; i < after.versionMetrics.size(); ++i) {
    VersionMetrics window = news(before, after, i);
    if (!plausible(window)) continue;
    windows.push_back(std::move(window));
  }
  return windows;
}

void add_window(VersionMetrics& total, const VersionMetrics& window) {
  total.requests += window.requests;
  total.failures += window.failures;
  total.latencySeconds += window.latencySeconds;
  total.latency.resize(std::max(total.latency.size(), window.latency.size()));
  for (std::size_t i = 0; i < window.latency.size(); ++i) total.latency[i] += window.latency[i];
}

void Figures::add(const Region& region, const std::vector<VersionMetrics>& windows, const std::set<RouteKey>& watched,
                  TimePoint now) {
  if (watched.empty()) return;
  for (const auto& window : windows) {
    const RouteKey route{window.tenant, window.name};
    if (!watched.contains(route)) continue;
    Series& series = series_[{region, route, window.moduleId}];
    auto& marks = series.marks;
    if (marks.empty() || now - marks.back().at >= series.apart) {
      marks.push_back({now, series.total});
      if (marks.size() > limits::kFigureMarks) {
        thin_out(marks);
        series.apart *= 2;
      }
    }
    add_window(series.total, window);
  }
}

void Figures::keep(const std::function<bool(const Region&, const RouteKey&)>& watched) {
  std::erase_if(series_, [&](const auto& entry) { return !watched(entry.first.region, entry.first.route); });
}

void Figures::add_sample(rollout::VersionSample& sample, const Key& key, TimePoint since) const {
  const auto found = series_.find(key);
  if (found == series_.end()) return;
  const auto& total = found->second.total;
  const auto& marks = found->second.marks;
  const auto first = std::ranges::lower_bound(marks, since, {}, &Mark::at);
  if (first == marks.end()) return;
  static const std::string kOneLife;
  const VersionMetrics window = difference({kOneLife, first->before}, {kOneLife, total});
  sample.requests += static_cast<std::uint64_t>(window.requests);
  sample.errors += static_cast<std::uint64_t>(window.failures);
  auto& counts = sample.latency.counts;
  for (std::size_t i = 0; i < std::min(counts.size(), window.latency.size()); ++i) {
    counts[i] += static_cast<std::uint64_t>(window.latency[i]);
  }
}

rollout::Samples Figures::samples(const SampleQuestion& question) const {
  constexpr double kMillisecondsInSecond = 1000;
  rollout::LatencyHistogram none{.bounds = latency_bounds(), .counts = {}};
  for (double& bound : none.bounds) bound *= kMillisecondsInSecond;
  none.counts.resize(none.bounds.size() + 1);
  rollout::Samples samples;
  samples.candidate.latency = samples.baseline.latency = none;
  const RouteKey route{question.tenant, question.name};
  for (const auto& region : question.regions) {
    add_sample(samples.candidate, {region, route, question.candidate}, question.since);
    std::set<ModuleId> baseline(question.baseline.begin(), question.baseline.end());
    for (const auto& version : baseline) add_sample(samples.baseline, {region, route, version}, question.since);
  }
  return samples;
}

}  // namespace hotswap::control
