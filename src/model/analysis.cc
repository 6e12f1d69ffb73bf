#include "model/analysis.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "model/text_rules.h"

namespace hotswap {
namespace {

constexpr double kPercent = 100;
constexpr double kLatencyTolerance = 1000;
constexpr int kLimit = 100;
constexpr int kRequestsMost = 1'000'000'000;

bool is_rate(MetricKind metric) {
  return metric == MetricKind::errorRate || metric == MetricKind::successRate || metric == MetricKind::shadowMismatch;
}

void within(RuleBook& rules, std::string_view member, std::optional<double> value, double most) {
  if (value && (*value < 0 || *value > most)) {
    rules.broken(member, fmt::format("must be between 0 and {}, got {}", most, *value));
  }
}

void check_query(const AnalysisMetric& metric, RuleBook& rules) {
  const bool is_query = metric.metric == MetricKind::query;
  if (!is_query && metric.query) rules.broken("query", "is only for the metric query");
  if (!is_query) return;
  if (metric.query.value_or("").empty()) {
    rules.broken("query", "is required for the metric query, such as \"sum(rate(http_errors_total[1m]))\"");
  } else if (metric.query->size() > limits::kDescriptionBytes || !is_plain_text(*metric.query)) {
    rules.broken("query", fmt::format("must be UTF-8 text without NUL of at most {} bytes", limits::kDescriptionBytes));
  }
  if (metric.tolerance) rules.broken("tolerance", "a query is held against a threshold only");
}

std::vector<FieldError> check_metric(const AnalysisMetric& metric, const std::string& path) {
  RuleBook rules(path);
  if (!metric.threshold && !metric.tolerance) {
    rules.broken("threshold", "either threshold or tolerance (against the version in place) must be given");
  }
  if (is_rate(metric.metric)) {
    within(rules, "threshold", metric.threshold, kPercent);
    within(rules, "tolerance", metric.tolerance, kPercent);
  } else if (metric.metric != MetricKind::query) {
    within(rules, "threshold", metric.threshold, std::numeric_limits<double>::max());
    within(rules, "tolerance", metric.tolerance, kLatencyTolerance);
  }
  if (metric.metric == MetricKind::shadowMismatch && metric.tolerance) {
    rules.broken("tolerance", "mismatches are held against a threshold only");
  }
  check_query(metric, rules);
  return rules.take();
}

}  // namespace

std::vector<FieldError> validate(const AnalysisConfig& config, const std::string& path) {
  RuleBook rules(path);
  if (config.metrics.empty() || config.metrics.size() > limits::kAnalysisMetrics) {
    rules.broken("metrics",
                 fmt::format("must have 1 to {} entries, has {}", limits::kAnalysisMetrics, config.metrics.size()));
  }
  for (std::size_t i = 0; i < config.metrics.size(); ++i) {
    rules.add(check_metric(config.metrics[i], fmt::format("{}.metrics[{}]", path, i)));
  }
  rules.range("intervalSeconds", config.intervalSeconds, 1, 3600);
  rules.range("minimumRequests", config.minimumRequests, 1, kRequestsMost);
  if (config.confidence < 0.5 || config.confidence > 0.9999) {
    rules.broken("confidence", fmt::format("must be between 0.5 and 0.9999, got {}", config.confidence));
  }
  rules.range("successLimit", config.successLimit, 1, kLimit);
  rules.range("failureLimit", config.failureLimit, 1, kLimit);
  rules.range("inconclusiveLimit", config.inconclusiveLimit, 1, kLimit);
  return rules.take();
}

}  // namespace hotswap
