#include "rollout/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace hotswap::rollout {
namespace {

using testing::HasSubstr;

AnalysisMetric threshold(MetricKind metric, double bound) {
  return {.metric = metric, .threshold = bound, .tolerance = {}, .query = {}};
}
AnalysisMetric tolerance(MetricKind metric, double allowed) {
  return {.metric = metric, .threshold = {}, .tolerance = allowed, .query = {}};
}

VersionSample sample(std::uint64_t requests, std::uint64_t errors, std::vector<std::uint64_t> latency = {}) {
  return {.requests = requests, .errors = errors, .latency = {.bounds = {1, 10, 100}, .counts = std::move(latency)}};
}

struct Case {
  std::string name;
  AnalysisMetric metric;
  VersionSample candidate;
  VersionSample baseline;
  AnalysisOutcome expected;
  Question question = Question::good_enough;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class Measuring : public testing::TestWithParam<Case> {};

TEST_P(Measuring, AnswersFromTheFigures) {
  const AnalysisConfig config{.metrics = {GetParam().metric}};
  const Samples samples{
      .candidate = GetParam().candidate, .baseline = GetParam().baseline, .shadow = {}, .queries = {{"q", 7}}};
  const auto measured = measure(config, samples, 1, GetParam().question);
  EXPECT_EQ(measured.outcome, GetParam().expected) << measured.results[0].reason;
}

constexpr auto kGood = AnalysisOutcome::success;
constexpr auto kBad = AnalysisOutcome::failure;
constexpr auto kOpen = AnalysisOutcome::inconclusive;

INSTANTIATE_TEST_SUITE_P(
    Figures, Measuring,
    testing::Values(
        Case{"TooFewAreNeverSuccess", threshold(MetricKind::errorRate, 1), sample(99, 0), {}, kOpen},
        Case{"NothingAtAll", threshold(MetricKind::errorRate, 1), {}, {}, kOpen},
        Case{"BelowTheBound", threshold(MetricKind::errorRate, 1), sample(1000, 5), {}, kGood},
        Case{"ALittleAboveTheBound", threshold(MetricKind::errorRate, 1), sample(100, 2), {}, kOpen},
        Case{"FarAboveTheBound", threshold(MetricKind::errorRate, 1), sample(100, 20), {}, kBad},
        Case{"SuccessRateHeld", threshold(MetricKind::successRate, 99), sample(1000, 5), {}, kGood},
        Case{"SuccessRateBroken", threshold(MetricKind::successRate, 99), sample(1000, 100), {}, kBad},
        Case{"AsGoodAsBefore", tolerance(MetricKind::errorRate, 0), sample(1000, 10), sample(9000, 90), kGood},
        Case{"WorseByChance", tolerance(MetricKind::errorRate, 0), sample(1000, 13), sample(9000, 90), kOpen},
        Case{"WorseForSure", tolerance(MetricKind::errorRate, 0), sample(1000, 60), sample(9000, 90), kBad},
        Case{"WorseWithinTheTolerance", tolerance(MetricKind::errorRate, 6), sample(1000, 60), sample(9000, 90), kGood},
        Case{"BothWithoutErrors", tolerance(MetricKind::errorRate, 0), sample(1000, 0), sample(9000, 0), kGood},
        Case{"TooFewBefore", tolerance(MetricKind::errorRate, 0), sample(1000, 60), sample(9, 0), kOpen},
        Case{"FastEnough", threshold(MetricKind::latencyP99, 100), sample(0, 0, {500, 500, 0, 0}), {}, kGood},
        Case{"TooSlow", threshold(MetricKind::latencyP50, 10), sample(0, 0, {0, 100, 900, 0}), {}, kBad},
        Case{"AsFastAsBefore", tolerance(MetricKind::latencyP50, 0), sample(0, 0, {500, 500, 0, 0}),
             sample(0, 0, {500, 500, 0, 0}), kGood},
        Case{"SlowerThanBefore", tolerance(MetricKind::latencyP50, 50), sample(0, 0, {0, 100, 900, 0}),
             sample(0, 0, {500, 500, 0, 0}), kBad},
        Case{"SlowerByWhatIsAllowed", tolerance(MetricKind::latencyP50, 1000), sample(0, 0, {0, 999, 1, 0}),
             sample(0, 0, {500, 500, 0, 0}), kGood},
        Case{"QueryWithinItsBound",
             {.metric = MetricKind::query, .threshold = 7, .tolerance = {}, .query = "q"},
             {},
             {},
             kGood},
        Case{"QueryPastItsBound",
             {.metric = MetricKind::query, .threshold = 8, .tolerance = {}, .query = "q", .better = Better::higher},
             {},
             {},
             kBad},
        Case{"QueryWithoutAValue",
             {.metric = MetricKind::query, .threshold = 8, .tolerance = {}, .query = "other"},
             {},
             {},
             kOpen},
        Case{"NotWorseIsNotBetter", tolerance(MetricKind::errorRate, 0), sample(1000, 10), sample(1000, 10), kOpen,
             Question::better},
        Case{"BetterForSure", tolerance(MetricKind::errorRate, 0), sample(1000, 1), sample(1000, 80), kGood,
             Question::better},
        Case{"WorseIsNotBetter", tolerance(MetricKind::errorRate, 0), sample(1000, 80), sample(1000, 1), kBad,
             Question::better}),
    [](const auto& info) { return info.param.name; });

TEST(MeasuringOften, DemandsMoreOfEachLook) {
  const AnalysisConfig config{.metrics = {tolerance(MetricKind::errorRate, 0)}};
  const Samples samples{.candidate = sample(1000, 24), .baseline = sample(1000, 8), .shadow = {}, .queries = {}};
  EXPECT_EQ(measure(config, samples, 1).outcome, kBad);
  EXPECT_EQ(measure(config, samples, 50).outcome, kOpen);
}

TEST(MeasuringOften, CallsSameVersionsWorseNoMoreOftenThanAllowed) {
  // Two versions with the same 5 % of errors, looked at twenty times each, in 200 runs: 5 % may err.
  std::uint64_t state = 42;
  const auto draw = [&state] {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state >> 11) / 9007199254740992.0;
  };
  const AnalysisConfig config{.metrics = {tolerance(MetricKind::errorRate, 0)}};
  int wrong = 0;
  for (int run = 0; run < 200; ++run) {
    Samples samples;
    for (int look = 1; look <= 20; ++look) {
      for (int i = 0; i < 200; ++i) {
        samples.candidate.errors += draw() < 0.05 ? 1 : 0;
        samples.baseline.errors += draw() < 0.05 ? 1 : 0;
      }
      samples.candidate.requests += 200;
      samples.baseline.requests += 200;
      if (measure(config, samples, look).outcome != kBad) continue;
      ++wrong;
      break;
    }
  }
  EXPECT_LE(wrong, 10);
}

TEST(Intervals, OfADifferenceAreNewcombes) {
  // Newcombe (1998), table II, example (a): 56/70 against 48/80.
  const auto interval = difference_of_proportions(56, 70, 48, 80, 0.05);
  EXPECT_NEAR(interval.low, 0.0524, 0.0001);
  EXPECT_NEAR(interval.high, 0.3339, 0.0001);
  // Example (g): 5/56 against 0/29.
  EXPECT_NEAR(difference_of_proportions(5, 56, 0, 29, 0.05).low, -0.0381, 0.0001);
}

TEST(Intervals, OfAQuantileHoldIt) {
  const LatencyHistogram histogram{.bounds = {1, 10, 100}, .counts = {100, 800, 90, 10}};
  const auto median = quantile(histogram, 0.5, 0.05);
  EXPECT_GT(median.value, 1);
  EXPECT_LT(median.value, 10);
  EXPECT_LE(median.interval.low, median.value);
  EXPECT_GE(median.interval.high, median.value);
  EXPECT_TRUE(std::isinf(quantile(histogram, 0.999, 0.05).interval.high));
}

ShadowSample shadow(std::uint64_t compared, std::uint64_t mismatched) {
  return {.compared = compared,
          .mismatched = mismatched,
          .dropped = 4,
          .latency = {.bounds = {1, 10, 100}, .counts = {compared, 0, 0, 0}},
          .live_latency = {.bounds = {1, 10, 100}, .counts = {0, 0, 0, compared}},
          .examples = {{.nodeId = NodeId("n"),
                        .request = "add",
                        .differs = "returnValue",
                        .live = "5",
                        .shadow = "6",
                        .traceId = "t"}}};
}

TEST(Shadowing, FailsByWhatDiffersAndSaysHow) {
  const AnalysisConfig config{.metrics = {threshold(MetricKind::shadowMismatch, 0)}};
  const auto outcome = [&](std::uint64_t compared, std::uint64_t mismatched) {
    return measure(config, {.candidate = {}, .baseline = {}, .shadow = shadow(compared, mismatched), .queries = {}}, 1);
  };
  for (std::uint64_t compared = 100; compared < 1000; ++compared) EXPECT_EQ(outcome(compared, 0).outcome, kGood);
  EXPECT_EQ(outcome(99, 0).outcome, kOpen) << "few comparisons are never success";
  EXPECT_EQ(outcome(0, 0).outcome, kOpen);
  EXPECT_EQ(outcome(100, 1).outcome, kBad);
  EXPECT_THAT(outcome(100, 50).results.at(0).reason, HasSubstr("50% of 100"));
  EXPECT_THAT(outcome(100, 50).results.at(0).reason, HasSubstr("add (returnValue): 5 became 6"));
}

TEST(Shadowing, ReportsCountsLatenciesAndExamples) {
  const auto report = report_of(shadow(100, 2));
  EXPECT_EQ(report.compared, 100);
  EXPECT_EQ(report.mismatched, 2);
  EXPECT_EQ(report.dropped, 4);
  EXPECT_DOUBLE_EQ(report.shadowP50Ms.value(), 0.5);
  EXPECT_FALSE(report.liveP50Ms) << "it lies above the last bound";
  EXPECT_EQ(report.examples.size(), 1U);
  EXPECT_FALSE(report_of(shadow(0, 0)).shadowP50Ms);
  EXPECT_EQ(report_of(shadow(100, 0)).examples.size(), 0U) << "left over from before the window";
}

TEST(Counting, AddsUpWhatMeasurementsSaid) {
  const TimePoint at{std::chrono::milliseconds(5)};
  auto run = counted({}, {.outcome = kGood, .results = {}, .enough = true}, at);
  run = counted(run, {.outcome = kBad, .results = {}, .enough = true}, at);
  EXPECT_EQ(run.measurements, 2);
  EXPECT_EQ(run.successes, 1);
  EXPECT_EQ(run.failures, 1);
  EXPECT_EQ(run.lastAt, at);
}

}  // namespace
}  // namespace hotswap::rollout
