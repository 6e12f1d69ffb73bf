#include "control/figures.h"

#include <algorithm>

#include "base/limits.h"
#include "base/metrics.h"

namespace hotswap::control {
namespace {

const VersionMetrics* find_metrics(const NodeReport& report, const VersionMetrics& like) {
  const auto found = std::ranges::find_if(report.versionMetrics, [&like](const VersionMetrics& metrics) {
    return metrics.moduleId == like.moduleId && metrics.tenant == like.tenant;
  });
  return found == report.versionMetrics.end() ? nullptr : &*found;
}

bool had_ready(const NodeReport& report, const VersionMetrics& like) {
  return std::ranges::any_of(report.versions, [&like](const VersionReport& version) {
    return version.moduleId == like.moduleId && version.tenant == like.tenant && version.state == VersionState::Ready;
  });
}

// What happened between two reports of a node. A version that the one before did not call ready may bring figures of a
// time when the node held it earlier.
VersionMetrics news(const NodeReport& before, const NodeReport& after, const VersionMetrics& now) {
  VersionMetrics nothing;
  const VersionMetrics* earlier = find_metrics(before, now);
  const bool reborn = before.incarnation != after.incarnation;
  if (earlier == nullptr && !reborn && !had_ready(before, now)) return nothing;
  return difference({before.incarnation, earlier == nullptr ? nothing : *earlier}, {after.incarnation, now});
}

using Counts = std::vector<std::int64_t>;

void add(Counts& total, const Counts& more) {
  total.resize(std::max(total.size(), more.size()));
  for (std::size_t i = 0; i < more.size(); ++i) total[i] += more[i];
}

void add(VersionMetrics& total, const VersionMetrics& more) {
  total.requests += more.requests;
  total.failures += more.failures;
  total.latencySeconds += more.latencySeconds;
  add(total.latency, more.latency);
  if (!more.shadow) return;
  if (!total.shadow) total.shadow.emplace();
  total.shadow->compared += more.shadow->compared;
  total.shadow->mismatched += more.shadow->mismatched;
  total.shadow->dropped += more.shadow->dropped;
  add(total.shadow->latency, more.shadow->latency);
  add(total.shadow->liveLatency, more.shadow->liveLatency);
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

void add(rollout::LatencyHistogram& histogram, const Counts& counts) {
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

void Figures::count(const NodeReport& before, const NodeReport& after, const std::set<RouteKey>& watched,
                    TimePoint now) {
  if (watched.empty()) return;
  for (const auto& metrics : after.versionMetrics) {
    const RouteKey route{metrics.tenant, metrics.name};
    if (!watched.contains(route)) continue;
    const VersionMetrics window = news(before, after, metrics);
    if (empty(window) || !plausible(window)) continue;
    Series& series = series_[{after.region, route, metrics.moduleId}];
    auto& marks = series.marks;
    if (marks.empty() || now - marks.back().at >= series.apart) {
      marks.push_back({now, series.total});
      if (marks.size() > limits::kFigureMarks) {
        thin_out(marks);
        series.apart *= 2;
      }
    }
    add(series.total, window);
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

void Figures::add_window(rollout::VersionSample& sample, const VersionMetrics& window) {
  sample.requests += static_cast<std::uint64_t>(window.requests);
  sample.errors += static_cast<std::uint64_t>(window.failures);
  add(sample.latency, window.latency);
}

void Figures::add_window(rollout::ShadowSample& sample, const ShadowMetrics& window) {
  sample.compared += static_cast<std::uint64_t>(window.compared);
  sample.mismatched += static_cast<std::uint64_t>(window.mismatched);
  sample.dropped += static_cast<std::uint64_t>(window.dropped);
  add(sample.latency, window.latency);
  add(sample.live_latency, window.liveLatency);
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
    add_window(samples.candidate, candidate);
    if (candidate.shadow) add_window(samples.shadow, *candidate.shadow);
    std::set<ModuleId> baseline(question.baseline.begin(), question.baseline.end());
    for (const auto& version : baseline) add_window(samples.baseline, window({region, route, version}, question.since));
  }
  samples.shadow.mismatched = std::min(samples.shadow.mismatched, samples.shadow.compared);
  return samples;
}

}  // namespace hotswap::control
