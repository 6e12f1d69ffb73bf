#include "rollout/analysis.h"

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace hotswap::rollout {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

double normal_quantile(double p) { return boost::math::quantile(boost::math::normal(), p); }

// Wilson's score interval of one proportion.
Interval wilson(std::uint64_t hits, std::uint64_t size, double z) {
  const auto n = static_cast<double>(size);
  const double p = static_cast<double>(hits) / n;
  const double middle = p + z * z / (2 * n);
  const double spread = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  // At its ends exactly: a rounding error must not be past a bound of 0 or 100 percent.
  return {hits == 0 ? 0.0 : std::max(0.0, (middle - spread) / scale),
          hits == size ? 1.0 : std::min(1.0, (middle + spread) / scale)};
}

double percent(std::uint64_t hits, std::uint64_t size) {
  return 100 * static_cast<double>(hits) / static_cast<double>(size);
}

// Better, worse or neither, by one bound.
struct Verdict {
  bool past = false;    // the estimate is past the bound
  bool worse = false;   // significantly past it
  bool better = false;  // significantly better than the version in place
  std::string reason;
};

struct Asked {
  const AnalysisConfig& config;
  const AnalysisMetric& metric;
  const Samples& samples;
  double alpha;  // of this look
};

// An error rate in the terms of the metric: a success rate is the same figure seen from the other side.
struct RateBounds {
  std::string_view name;
  bool inverted = false;
};

double shown(const RateBounds& rate, double error_percent) {
  return rate.inverted ? 100 - error_percent : error_percent;
}

std::vector<Verdict> judge_rate(const Asked& asked, const RateBounds& rate, std::uint64_t errors,
                                std::uint64_t requests, const VersionSample* baseline) {
  std::vector<Verdict> verdicts;
  const double error_percent = percent(errors, requests);
  if (const auto threshold = asked.metric.threshold) {
    const double bound = rate.inverted ? 100 - *threshold : *threshold;
    const Interval interval = wilson(errors, requests, normal_quantile(1 - asked.alpha));
    verdicts.push_back({.past = error_percent > bound,
                        .worse = 100 * interval.low > bound,
                        .better = 100 * interval.high < bound,
                        .reason = fmt::format("{} {:.4g}% of {} requests, bound {:.4g}%", rate.name,
                                              shown(rate, error_percent), requests, *threshold)});
  }
  if (baseline != nullptr && asked.metric.tolerance) {
    const double before = percent(baseline->errors, baseline->requests);
    const Interval difference =
        difference_of_proportions(errors, requests, baseline->errors, baseline->requests, 2 * asked.alpha);
    verdicts.push_back(
        {.past = error_percent > before + *asked.metric.tolerance,
         .worse = 100 * difference.low > *asked.metric.tolerance,
         .better = difference.high < 0,
         .reason = fmt::format("{} {:.4g}% against {:.4g}% (difference {:+.3g} to {:+.3g} points, {:.4g} "
                               "allowed)",
                               rate.name, shown(rate, error_percent), shown(rate, before), 100 * difference.low,
                               100 * difference.high, *asked.metric.tolerance)});
  }
  return verdicts;
}

std::vector<Verdict> judge_latency(const Asked& asked, std::string_view name, double p, MetricResult& result) {
  std::vector<Verdict> verdicts;
  const auto candidate = quantile(asked.samples.candidate.latency, p, 2 * asked.alpha);
  result.candidate = candidate.value;
  if (const auto threshold = asked.metric.threshold) {
    verdicts.push_back({.past = candidate.value > *threshold,
                        .worse = candidate.interval.low > *threshold,
                        .better = candidate.interval.high < *threshold,
                        .reason = fmt::format("{} {:.4g} ms, bound {:.4g} ms", name, candidate.value, *threshold)});
  }
  if (asked.metric.tolerance) {
    const auto before = quantile(asked.samples.baseline.latency, p, 2 * asked.alpha);
    result.baseline = before.value;
    const double allowed = 1 + *asked.metric.tolerance / 100;
    verdicts.push_back(
        {.past = candidate.value > before.value * allowed,
         .worse = candidate.interval.low > before.interval.high * allowed,
         .better = candidate.interval.high < before.interval.low,
         .reason = fmt::format("{} {:.4g} ms ({:.4g} to {:.4g}) against {:.4g} ms ({:.4g} to {:.4g}), "
                               "{:.4g}% more allowed",
                               name, candidate.value, candidate.interval.low, candidate.interval.high, before.value,
                               before.interval.low, before.interval.high, *asked.metric.tolerance)});
  }
  return verdicts;
}

// A query's value is taken as it is: whoever wrote it chose what it says and over which time.
std::vector<Verdict> judge_query(const Asked& asked, MetricResult& result) {
  const double value = asked.samples.queries.at(*asked.metric.query);
  const double threshold = asked.metric.threshold.value_or(0);
  result.candidate = value;
  const bool past = asked.metric.better == Better::lower ? value > threshold : value < threshold;
  const bool better = asked.metric.better == Better::lower ? value < threshold : value > threshold;
  return {{.past = past,
           .worse = past,
           .better = better,
           .reason = fmt::format("{} is {:.6g}, bound {:.6g}", *asked.metric.query, value, threshold)}};
}

std::uint64_t total(const LatencyHistogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
}

// What is missing before the metric can be judged; empty where nothing is.
std::string lacking(const Asked& asked) {
  const auto least = static_cast<std::uint64_t>(asked.config.minimumRequests);
  const auto few = [&](std::string_view of, std::uint64_t has) {
    return has < least ? fmt::format("{} of {} requests of {}", has, least, of) : std::string();
  };
  if (asked.metric.metric == MetricKind::query) {
    return asked.samples.queries.contains(*asked.metric.query) ? "" : "the query gave no value";
  }
  if (asked.metric.metric == MetricKind::shadowMismatch) {
    return few("the shadow", asked.samples.shadow.compared);
  }
  const bool latency = asked.metric.metric == MetricKind::latencyP50 || asked.metric.metric == MetricKind::latencyP99;
  const auto size = [latency](const VersionSample& sample) {
    return latency ? total(sample.latency) : sample.requests;
  };
  auto missing = few("the new version", size(asked.samples.candidate));
  if (missing.empty() && asked.metric.tolerance) {
    missing = few("the version in place", size(asked.samples.baseline));
  }
  return missing;
}

std::vector<Verdict> judge_shadow(const Asked& asked, MetricResult& result) {
  const ShadowSample& shadow = asked.samples.shadow;
  result.candidate = percent(shadow.mismatched, shadow.compared);
  auto verdicts = judge_rate(asked, {"mismatches", false}, shadow.mismatched, shadow.compared, nullptr);
  if (shadow.mismatched > 0 && !shadow.examples.empty() && !verdicts.empty()) {
    verdicts.back().reason += ", such as " + summary(shadow.examples.front());
  }
  return verdicts;
}

std::vector<Verdict> judge(const Asked& asked, MetricResult& result) {
  const Samples& samples = asked.samples;
  switch (asked.metric.metric) {
    case MetricKind::errorRate:
    case MetricKind::successRate: {
      const RateBounds rate = asked.metric.metric == MetricKind::errorRate ? RateBounds{"error rate", false}
                                                                           : RateBounds{"success rate", true};
      result.candidate = shown(rate, percent(samples.candidate.errors, samples.candidate.requests));
      if (samples.baseline.requests > 0) {
        result.baseline = shown(rate, percent(samples.baseline.errors, samples.baseline.requests));
      }
      return judge_rate(asked, rate, samples.candidate.errors, samples.candidate.requests, &samples.baseline);
    }
    case MetricKind::shadowMismatch:
      return judge_shadow(asked, result);
    case MetricKind::latencyP50:
      return judge_latency(asked, "p50", 0.5, result);
    case MetricKind::latencyP99:
      return judge_latency(asked, "p99", 0.99, result);
    case MetricKind::query:
      return judge_query(asked, result);
  }
  return {};
}

AnalysisOutcome outcome_of(const std::vector<Verdict>& verdicts, Question question) {
  if (std::ranges::any_of(verdicts, &Verdict::worse)) return AnalysisOutcome::failure;
  const bool good = question == Question::good_enough ? std::ranges::none_of(verdicts, &Verdict::past)
                                                      : std::ranges::all_of(verdicts, &Verdict::better);
  return good ? AnalysisOutcome::success : AnalysisOutcome::inconclusive;
}

AnalysisOutcome together(const std::vector<MetricResult>& results, Question question) {
  const auto is = [](AnalysisOutcome wanted) {
    return [wanted](const MetricResult& result) { return result.outcome == wanted; };
  };
  if (std::ranges::any_of(results, is(AnalysisOutcome::failure))) return AnalysisOutcome::failure;
  const bool good = question == Question::good_enough ? std::ranges::all_of(results, is(AnalysisOutcome::success))
                                                      : std::ranges::any_of(results, is(AnalysisOutcome::success));
  return good ? AnalysisOutcome::success : AnalysisOutcome::inconclusive;
}

// The value at a rank (counted from 1), spread evenly within its bucket.
double value_at(const LatencyHistogram& histogram, double rank) {
  double below = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const auto here = static_cast<double>(histogram.counts[i]);
    if (here > 0 && below + here >= rank) {
      if (i >= histogram.bounds.size()) return kInfinite;
      const double from = i == 0 ? 0 : histogram.bounds[i - 1];
      return from + (histogram.bounds[i] - from) * std::clamp((rank - below) / here, 0.0, 1.0);
    }
    below += here;
  }
  return kInfinite;
}

}  // namespace

Interval difference_of_proportions(std::uint64_t hits1, std::uint64_t size1, std::uint64_t hits2, std::uint64_t size2,
                                   double alpha) {
  const double z = normal_quantile(1 - alpha / 2);
  const double p1 = static_cast<double>(hits1) / static_cast<double>(size1);
  const double p2 = static_cast<double>(hits2) / static_cast<double>(size2);
  const Interval first = wilson(hits1, size1, z);
  const Interval second = wilson(hits2, size2, z);
  const double difference = p1 - p2;
  return {difference - std::hypot(p1 - first.low, second.high - p2),
          difference + std::hypot(first.high - p1, p2 - second.low)};
}

QuantileEstimate quantile(const LatencyHistogram& histogram, double p, double alpha) {
  const auto size = static_cast<double>(total(histogram));
  const boost::math::binomial ranks(size, p);
  const double low = boost::math::quantile(ranks, alpha / 2);
  const double high = boost::math::quantile(boost::math::complement(ranks, alpha / 2)) + 1;
  return {.value = value_at(histogram, std::max(1.0, std::ceil(p * size))),
          .interval = {low < 1 ? 0 : value_at(histogram, low), high > size ? kInfinite : value_at(histogram, high)}};
}

Measurement measure(const AnalysisConfig& config, const Samples& samples, int look, Question question) {
  const double share = 6 / (std::numbers::pi * std::numbers::pi * look * look);
  const double alpha =
      (1 - config.confidence) * share / static_cast<double>(std::max<std::size_t>(config.metrics.size(), 1));
  Measurement measurement{.outcome = AnalysisOutcome::inconclusive, .results = {}, .enough = true};
  for (const auto& metric : config.metrics) {
    const Asked asked{.config = config, .metric = metric, .samples = samples, .alpha = alpha};
    MetricResult result{.metric = metric.metric,
                        .outcome = AnalysisOutcome::inconclusive,
                        .candidate = {},
                        .baseline = {},
                        .reason = lacking(asked)};
    if (result.reason.empty()) {
      const auto verdicts = judge(asked, result);
      result.outcome = outcome_of(verdicts, question);
      for (const auto& verdict : verdicts) {
        if (!result.reason.empty()) result.reason += "; ";
        result.reason += verdict.reason;
      }
    } else {
      measurement.enough = false;
    }
    measurement.results.push_back(std::move(result));
  }
  measurement.outcome = together(measurement.results, question);
  return measurement;
}

ShadowReport report_of(const ShadowSample& sample) {
  const auto at = [](const LatencyHistogram& histogram, double p) -> std::optional<double> {
    const auto size = static_cast<double>(total(histogram));
    if (size == 0) return std::nullopt;
    const double value = value_at(histogram, std::max(1.0, std::ceil(p * size)));
    return std::isfinite(value) ? std::optional(value) : std::nullopt;
  };
  return {.compared = static_cast<std::int64_t>(sample.compared),
          .mismatched = static_cast<std::int64_t>(sample.mismatched),
          .dropped = static_cast<std::int64_t>(sample.dropped),
          .liveP50Ms = at(sample.live_latency, 0.5),
          .liveP99Ms = at(sample.live_latency, 0.99),
          .shadowP50Ms = at(sample.latency, 0.5),
          .shadowP99Ms = at(sample.latency, 0.99),
          .examples = sample.mismatched > 0 ? sample.examples : std::vector<ShadowExample>{}};
}

AnalysisRun counted(AnalysisRun run, const Measurement& measurement, TimePoint at) {
  ++run.measurements;
  switch (measurement.outcome) {
    case AnalysisOutcome::success:
      ++run.successes;
      break;
    case AnalysisOutcome::failure:
      ++run.failures;
      break;
    case AnalysisOutcome::inconclusive:
      ++run.inconclusives;
      break;
  }
  run.lastAt = at;
  run.last = measurement.results;
  return run;
}

}  // namespace hotswap::rollout
