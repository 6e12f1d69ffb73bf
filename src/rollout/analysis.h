// Whether the figures let a rollout go on. Pure: samples in, an outcome out; nothing here knows where figures come
// from.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/analysis.h"
#include "model/shadow.h"

namespace hotswap::rollout {

// Counts of requests by how long they took. counts[i] are those of at most bounds[i] milliseconds and more than
// bounds[i-1]; the last entry, one more than there are bounds, is everything above. Counts are not cumulative.
struct LatencyHistogram {
  std::vector<double> bounds;
  std::vector<std::uint64_t> counts;
  bool operator==(const LatencyHistogram&) const = default;
};

// What one version did on all nodes together, in the window that a measurement looks at.
struct VersionSample {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;
  LatencyHistogram latency;
  bool operator==(const VersionSample&) const = default;
};

// What the answers to copies of live requests were, beside the live ones.
struct ShadowSample {
  std::uint64_t compared = 0;
  std::uint64_t mismatched = 0;
  std::uint64_t dropped = 0;      // chosen, and not compared
  LatencyHistogram latency;       // of the copies
  LatencyHistogram live_latency;  // of the requests that they were copied from
  std::vector<ShadowExample> examples;
  bool operator==(const ShadowSample&) const = default;
};

// Since the current step began.
struct Samples {
  VersionSample candidate;                            // the version that is brought
  VersionSample baseline;                             // those in place, together
  ShadowSample shadow;                                // the candidate's answers beside the baseline's
  std::map<std::string, double> queries;              // PromQL text → its value; absent where it gave none
  std::map<std::string, std::string> query_problems;  // why it gave none
  bool operator==(const Samples&) const = default;
};

// What a measurement is asked.
enum class Question { good_enough, better };

struct Measurement {
  AnalysisOutcome outcome = AnalysisOutcome::inconclusive;
  std::vector<MetricResult> results;  // one for each metric, in their order
  bool enough = false;                // every metric had its minimum of requests
};

// The `look`-th measurement of a step, counted from 1. Few samples are never success.
//
// A version is called worse where the difference is significant at config.confidence. Looking again and again would
// find a difference by chance at last; so the k-th look may err with (1 - confidence) · 6/(π²k²), which sums to 1 -
// confidence over all looks. Rates are compared by Newcombe's interval of a difference of two proportions (Newcombe
// 1998, method 10), which holds for few and for no errors; latencies by distribution-free intervals of their quantiles
// from binomial order statistics.
//
// good_enough: success where no metric is past its bound, failure where one is so significantly.
// better: success where one metric is significantly better and none significantly worse.
[[nodiscard]] Measurement measure(const AnalysisConfig& config, const Samples& samples, int look,
                                  Question question = Question::good_enough);

struct Interval {
  double low = 0;
  double high = 0;
};
// Of p1 - p2, two-sided; `alpha` is the chance to miss the true difference. Both sizes are more than 0.
[[nodiscard]] Interval difference_of_proportions(std::uint64_t hits1, std::uint64_t size1, std::uint64_t hits2,
                                                 std::uint64_t size2, double alpha);
// Of the quantile `p` in milliseconds. The histogram is not empty; where the interval reaches above the last bound, its
// high end is infinite.
struct QuantileEstimate {
  double value = 0;
  Interval interval;
};
[[nodiscard]] QuantileEstimate quantile(const LatencyHistogram& histogram, double p, double alpha);

// For people.
[[nodiscard]] ShadowReport report_of(const ShadowSample& sample);

// The run with one more measurement in it.
[[nodiscard]] AnalysisRun counted(AnalysisRun run, const Measurement& measurement, TimePoint at);

}  // namespace hotswap::rollout
