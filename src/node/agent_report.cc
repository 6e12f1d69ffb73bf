// What the node says about itself: reports, counters.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/backoff.h"
#include "base/log.h"
#include "node/agent.h"
#include "node/agent_parts.h"

namespace hotswap::node {
namespace {

std::vector<std::int64_t> counts(const Histogram& histogram) {
  std::vector<std::int64_t> counts;
  for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
    counts.push_back(static_cast<std::int64_t>(histogram.bucket(i)));
  }
  return counts;
}

// nullopt where nothing was ever copied.
std::optional<ShadowMetrics> shadow_metrics(const ShadowMeter& meter) {
  ShadowMetrics metrics{.compared = static_cast<std::int64_t>(meter.compared.value()),
                        .mismatched = static_cast<std::int64_t>(meter.mismatched.value()),
                        .dropped = static_cast<std::int64_t>(meter.dropped.value()),
                        .latency = counts(meter.latency),
                        .liveLatency = counts(meter.live_latency)};
  if (metrics.compared == 0 && metrics.dropped == 0) return std::nullopt;
  return metrics;
}

}  // namespace

std::shared_ptr<VersionMeter> Agent::meter_of(const DesiredVersion& version) {
  Meter& meter = meters_[{version.tenant, version.moduleId}];
  if (!meter.counted) meter.counted = std::make_shared<VersionMeter>(version.name);
  return meter.counted;
}

Task<void> Agent::send_reports() {
  Backoff backoff(parts_.random, options_.retry, options_.retry_most);
  auto next = std::chrono::steady_clock::time_point::max();
  for (;;) {
    if (!report_due_ && std::chrono::steady_clock::now() < next) {
      report_wake_.expires_at(next);
      co_await report_wake_.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    report_due_ = false;
    auto whole = report();
    const bool in_part = told_.has_value();
    const auto sent = co_await parts_.control.report(in_part ? change_between(*told_, whole) : whole);
    told_.reset();
    if (sent) {
      backoff.reset();
      told_ = std::move(whole);
    } else if (in_part && sent.error().kind == ErrorKind::kConflict) {
      report_due_ = true;  // it forgot: everything, at once
    }
    if (leaving_ && (!sent || sent->mayLeave)) left_.cancel();
    next = std::chrono::steady_clock::now() +
           (sent ? std::chrono::milliseconds(sent->nextReportMs > 0 ? sent->nextReportMs : 1) : backoff.next());
  }
}

std::vector<VersionReport> Agent::version_reports() const {
  std::vector<VersionReport> versions;
  versions.reserve(held_.size());
  for (const auto& [key, held] : held_) {
    versions.push_back({key.first, key.second, held->state, held->reason, held->check_run, held->check_failure});
  }
  return versions;
}

NodeReport Agent::report() {
  NodeReport out{.nodeId = options_.node.nodeId,
                 .region = options_.node.region,
                 .routedRevision = routed_revision_,
                 .knownRevision = published_revision_,
                 .versions = published_};
  out.incarnation = options_.node.incarnation;
  out.number = ++reports_made_;
  out.forwardKey = options_.forward_key;
  out.leaving = leaving_;
  for (const auto& [key, held] : held_) {
    const auto meter = meters_.find(key);
    if (meter == meters_.end()) continue;
    const VersionMeter& counted = *meter->second.counted;
    auto shadow = shadow_metrics(counted.shadow);
    if (counted.requests.value() == 0 && !shadow) continue;
    VersionMetrics metrics{.tenant = key.first, .name = counted.name, .moduleId = key.second, .latency = {}};
    metrics.requests = static_cast<std::int64_t>(counted.requests.value());
    metrics.failures = static_cast<std::int64_t>(counted.failures.value());
    metrics.latency = counts(counted.latency);
    metrics.latencySeconds = counted.latency.sum();
    metrics.shadow = std::move(shadow);
    out.versionMetrics.push_back(std::move(metrics));
  }
  for (const auto& route : routed_) {
    if (!route.shadow) continue;
    const auto meter = meters_.find({route.tenant, route.shadow->moduleId});
    if (meter == meters_.end()) continue;
    if (auto examples = meter->second.counted->shadow.examples(); !examples.empty()) {
      out.shadowExamples.push_back({route.tenant, route.shadow->moduleId, std::move(examples)});
    }
  }
  out.health = machine_.sample();
  out.health->modulesLoaded = static_cast<int>(modules_ready_.value());
  out.metrics = metrics();
  return out;
}

NodeMetrics Agent::metrics() {
  constexpr double kMillisecondsInSecond = 1000;
  NodeMetrics all;
  double seconds = 0;
  for (const auto& [key, meter] : meters_) {
    all.totalInvocations += static_cast<std::int64_t>(meter.counted->requests.value());
    all.failedInvocations += static_cast<std::int64_t>(meter.counted->failures.value());
    seconds += meter.counted->latency.sum();
  }
  if (all.totalInvocations > 0) {
    all.avgInvocationLatencyMs = seconds * kMillisecondsInSecond / static_cast<double>(all.totalInvocations);
  }
  if (const auto loads = load_duration_.count(); loads > 0) {
    all.avgModuleInitMs = load_duration_.sum() * kMillisecondsInSecond / static_cast<double>(loads);
  }
  const SteadyPoint now = parts_.clock.steady();
  if (reported_at_ && now > *reported_at_) {
    all.throughputReqPerSec = static_cast<double>(all.totalInvocations - requests_reported_) /
                              std::chrono::duration<double>(now - *reported_at_).count();
  }
  reported_at_ = now;
  requests_reported_ = all.totalInvocations;
  return all;
}

Task<void> Agent::count_invocations() {
  for (;;) {
    asio::steady_timer timer(home_, options_.count_every);
    co_await timer.async_wait(asio::use_awaitable);
    co_await flush_counts();
  }
}

Task<void> Agent::flush_counts() {
  std::vector<InvocationCount> counts;
  for (const auto& [key, meter] : meters_) {
    const auto now = static_cast<std::int64_t>(meter.counted->requests.value());
    if (now > meter.told) counts.push_back({key.first, key.second, now - meter.told});
  }
  if (counts.empty()) co_return;
  if (!co_await parts_.control.count_invocations(counts)) co_return;  // they are told with the next ones
  for (const auto& count : counts) meters_[{count.tenant, count.moduleId}].told += count.count;
}

}  // namespace hotswap::node
