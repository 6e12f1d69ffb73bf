// What is measured while a rollout holds, and how that decides (FR-WASM-007, metrics-based progression; source 001,
// rollback thresholds).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace hotswap {

enum class MetricKind { errorRate, successRate, latencyP50, latencyP99, query, shadowMismatch };
BOOST_DESCRIBE_ENUM(MetricKind, errorRate, successRate, latencyP50, latencyP99, query, shadowMismatch)

enum class Better { lower, higher };
BOOST_DESCRIBE_ENUM(Better, lower, higher)

// One question to the figures: against a fixed threshold, against the version in place, or both.
struct AnalysisMetric {
  static constexpr std::array<std::string_view, 1> kRequired{"metric"};
  MetricKind metric = MetricKind::errorRate;
  // Rates in percent, latencies in milliseconds, a query in its own unit. The worst value that is still good.
  std::optional<double> threshold;
  // How much worse than the version in place is still good: rates in percentage points (0–100), latencies in percent
  // (0–1000). Not for queries.
  std::optional<double> tolerance;
  std::optional<std::string> query;  // PromQL with one sample as its result; for `query` only
  Better better = Better::lower;     // of a query's values
  bool operator==(const AnalysisMetric&) const = default;
};
BOOST_DESCRIBE_STRUCT(AnalysisMetric, (), (metric, threshold, tolerance, query, better))

struct AnalysisConfig {
  static constexpr std::array<std::string_view, 1> kRequired{"metrics"};
  std::vector<AnalysisMetric> metrics;  // 1–16
  int intervalSeconds = 10;             // 1–3600, between two measurements
  int minimumRequests = 100;            // 1–1,000,000,000, of each version that a measurement looks at
  double confidence = 0.95;             // 0.5–0.9999, with which a version is called worse or better
  int successLimit = 1;                 // 1–100 good measurements let the rollout go on
  int failureLimit = 1;                 // 1–100 bad ones take it back
  int inconclusiveLimit = 3;            // 1–100 that say neither pause it
  bool operator==(const AnalysisConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(AnalysisConfig, (),
                      (metrics, intervalSeconds, minimumRequests, confidence, successLimit, failureLimit,
                       inconclusiveLimit))
[[nodiscard]] std::vector<FieldError> validate(const AnalysisConfig& config, const std::string& path);

enum class AnalysisOutcome { success, failure, inconclusive };
BOOST_DESCRIBE_ENUM(AnalysisOutcome, success, failure, inconclusive)

struct MetricResult {
  MetricKind metric = MetricKind::errorRate;
  AnalysisOutcome outcome = AnalysisOutcome::inconclusive;
  std::optional<double> candidate;  // of the version that is brought
  std::optional<double> baseline;   // of the version in place
  std::string reason;
  bool operator==(const MetricResult&) const = default;
};
BOOST_DESCRIBE_STRUCT(MetricResult, (), (metric, outcome, candidate, baseline, reason))

// What the measurements of the current step said so far. Stored with the deployment, so that a control plane that takes
// over counts on.
struct AnalysisRun {
  int measurements = 0;
  int successes = 0;
  int failures = 0;
  int inconclusives = 0;
  std::optional<TimePoint> lastAt;
  std::vector<MetricResult> last;
  bool operator==(const AnalysisRun&) const = default;
};
BOOST_DESCRIBE_STRUCT(AnalysisRun, (), (measurements, successes, failures, inconclusives, lastAt, last))

}  // namespace hotswap
