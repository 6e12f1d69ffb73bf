#include "control/figures.h"

#include <algorithm>

#include "base/limits.h"
#include "base/metrics.h"

namespace hotswap::control {
namespace {

bool had_ready(const NodeReport& report, const VersionMetrics& like) {
  const VersionReport* version = find_version(report, like.tenant, like.moduleId);
  return version != nullptr && version->state == VersionState::Ready;
}

// What happened between two reports of a node. A version that the one before did not call ready may bring figures of a
// time when the node held it earlier.
VersionMetrics news(const NodeReport& before, const NodeReport& after, const VersionMetrics& now) {
  VersionMetrics nothing;
  const VersionMetrics* earlier = find_metrics(before, now.tenant, now.moduleId);
  const bool reborn = before.incarnation != after.incarnation;
  if (earlier == nullptr && !reborn && !had_ready(before, now)) return nothing;
  return difference({before.incarnation, earlier == nullptr ? nothing : *earlier}, {after.incarnation, now});
}

using Counts = std::vector<std::int64_t>;

void add_counts(Counts& total, const Counts& more) {
  total.resize(std::max(total.size(), more.size()));
  for (std::size_t i = 0; i < more.size(); ++i) total[i] += more[i];
}

bool plausible(const Counts& counts) {
  static const std::size_t kBuckets = latency_bounds().size() + 1;
  return counts.size() <= kBuckets && std::ranges::all_of(counts, [](std::int64_t count) { return count >= 0; });
}

// A comparison may be counted in one report and its mismatch in the next.
bool plausible(const ShadowMetrics& window) {
  return window.compared >= 0 && window.mismatched >= 0 && window.dropped >= 0 && plausible(window.latency) &&
         plausible(window.liveLatency);
}

// A node that counts backwards, or otherwise than every node, says nothing.
bool plausible(const VersionMetrics& window) {
  return window.requests >= 0 && window.failures >= 0 && window.failures <= window.requests &&
         plausible(window.latency) && (!window.shadow || plausible(*window.shadow));
}

bool empty(const VersionMetrics& window) {
  return window.requests == 0 && (!window.shadow || (window.shadow->compared == 0 && window.shadow->mismatched == 0 &&
                                                     window.shadow->dropped == 0));
}

void add_counts(rollout::LatencyHistogram& histogram, const Counts& counts) {
  for (std::size_t i = 0; i < std::min(histogram.counts.size(), counts.size()); ++i) {
    histogram.counts[i] += static_cast<std::uint64_t>(counts[i]);
  }
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
  for (const auto& now : after.versionMetrics) {
    VersionMetrics window = news(before, after, now);
    if (empty(window) || !plausible(window)) continue;
    windows.push_back(std::move(window));
  }
  return windows;
}

void add_window(VersionMetrics& total, const VersionMetrics& window) {
  total.requests += window.requests;
  total.failures += window.failures;
  total.latencySeconds += window.latencySeconds;
  add_counts(total.latency, window.latency);
  if (!window.shadow) return;
  if (!total.shadow) total.shadow.emplace();
  total.shadow->compared += window.shadow->compared;
  total.shadow->mismatched += window.shadow->mismatched;
  total.shadow->dropped += window.shadow->dropped;
  add_counts(total.shadow->latency, window.shadow->latency);
  add_counts(total.shadow->liveLatency, window.shadow->liveLatency);
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

VersionMetrics Figures::window(const Key& key, TimePoint since) const {
  const auto found = series_.find(key);
  if (found == series_.end()) return {};
  const auto& marks = found->second.marks;
  const auto first = std::ranges::lower_bound(marks, since, {}, &Mark::at);
  if (first == marks.end()) return {};
  static const std::string kOneLife;
  return difference({kOneLife, first->before}, {kOneLife, found->second.total});
}

void Figures::add_sample(rollout::VersionSample& sample, const VersionMetrics& window) {
  sample.requests += static_cast<std::uint64_t>(window.requests);
  sample.errors += static_cast<std::uint64_t>(window.failures);
  add_counts(sample.latency, window.latency);
}

void Figures::add_sample(rollout::ShadowSample& sample, const ShadowMetrics& window) {
  sample.compared += static_cast<std::uint64_t>(window.compared);
  sample.mismatched += static_cast<std::uint64_t>(window.mismatched);
  sample.dropped += static_cast<std::uint64_t>(window.dropped);
  add_counts(sample.latency, window.latency);
  add_counts(sample.live_latency, window.liveLatency);
}

rollout::Samples Figures::samples(const SampleQuestion& question) const {
  constexpr double kMillisecondsInSecond = 1000;
  rollout::LatencyHistogram none{.bounds = latency_bounds(), .counts = {}};
  for (double& bound : none.bounds) bound *= kMillisecondsInSecond;
  none.counts.resize(none.bounds.size() + 1);
  rollout::Samples samples;
  samples.candidate.latency = samples.baseline.latency = none;
  samples.shadow.latency = samples.shadow.live_latency = none;
  const RouteKey route{question.tenant, question.name};
  for (const auto& region : question.regions) {
    const VersionMetrics candidate = window({region, route, question.candidate}, question.since);
    add_sample(samples.candidate, candidate);
    if (candidate.shadow) add_sample(samples.shadow, *candidate.shadow);
    std::set<ModuleId> baseline(question.baseline.begin(), question.baseline.end());
    for (const auto& version : baseline) add_sample(samples.baseline, window({region, route, version}, question.since));
  }
  samples.shadow.mismatched = std::min(samples.shadow.mismatched, samples.shadow.compared);
  return samples;
}

}  // namespace hotswap::control
