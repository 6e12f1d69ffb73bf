#include "control/figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"

namespace hotswap::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TenantId kTenant("default");
const RouteKey kRoute{kTenant, "m"};
const ModuleId kOld("m-v1.0.0");
const ModuleId kNew("m-v2.0.0");
const Region kHere("us-east");
const TimePoint kStart{milliseconds(1'000'000'000)};

struct Counted {
  ModuleId version;
  std::int64_t requests = 0;
  std::int64_t failures = 0;
};

NodeReport report(const std::vector<Counted>& counted, const Region& region = kHere, std::string life = "1") {
  NodeReport made{.nodeId = NodeId("n"), .region = region, .versions = {}, .incarnation = std::move(life)};
  for (const auto& one : counted) {
    made.versions.push_back({.tenant = kTenant, .moduleId = one.version, .state = VersionState::Ready, .reason = {}});
    if (one.requests == 0) continue;
    VersionMetrics metrics{.tenant = kTenant, .name = "m", .moduleId = one.version, .latency = {}};
    metrics.requests = one.requests;
    metrics.failures = one.failures;
    metrics.latency.resize(latency_bounds().size() + 1);
    metrics.latency.at(3) = one.requests;
    made.versionMetrics.push_back(std::move(metrics));
  }
  return made;
}

class FiguresTest : public testing::Test {
 protected:
  // The next report of the node.
  void hear(NodeReport after, TimePoint at) {
    if (before) figures.add(after.region, counted_between(*before, after), {kRoute}, at);
    before = std::move(after);
  }
  [[nodiscard]] rollout::Samples since(TimePoint at, std::vector<Region> regions = {kHere}) const {
    return figures.samples({.tenant = kTenant,
                            .name = "m",
                            .candidate = kNew,
                            .baseline = {kOld},
                            .regions = std::move(regions),
                            .since = at,
                            .queries = {}});
  }

  Figures figures;
  std::optional<NodeReport> before;
};

TEST_F(FiguresTest, AreWhatHappenedWithinTheWindow) {
  hear(report({{kOld, 1000, 5}, {kNew}}), kStart);
  hear(report({{kOld, 1100, 6}, {kNew, 10, 1}}), kStart + seconds(1));
  hear(report({{kOld, 1300, 6}, {kNew, 30, 4}}), kStart + seconds(2));
  EXPECT_EQ(since(kStart).baseline.requests, 300U);
  EXPECT_EQ(since(kStart).candidate.requests, 30U);
  const auto late = since(kStart + milliseconds(1500));
  EXPECT_EQ(late.baseline.requests, 200U);
  EXPECT_EQ(late.baseline.errors, 0U);
  EXPECT_EQ(late.candidate.requests, 20U);
  EXPECT_EQ(late.candidate.errors, 3U);
  EXPECT_EQ(late.candidate.latency.counts.at(3), 20U);
  EXPECT_DOUBLE_EQ(late.candidate.latency.bounds.at(0), latency_bounds().at(0) * 1000);
  EXPECT_EQ(since(kStart + seconds(3)).candidate.requests, 0U);
}

TEST_F(FiguresTest, OfAnEarlierTryOfTheSameVersionAreLeftOut) {
  hear(report({{kOld, 1000}}), kStart);
  hear(report({{kOld, 1000}, {kNew, 500, 500}}), kStart + seconds(1));
  EXPECT_EQ(since(kStart).candidate.requests, 0U);
  hear(report({{kOld, 1000}, {kNew, 520, 500}}), kStart + seconds(2));
  EXPECT_EQ(since(kStart).candidate.requests, 20U);
  EXPECT_EQ(since(kStart).candidate.errors, 0U);
}

TEST_F(FiguresTest, GoOnWhereANodeStartsAnew) {
  hear(report({{kNew, 10}}), kStart);
  hear(report({{kNew, 30}}), kStart + seconds(1));
  hear(report({{kNew, 7, 2}}, kHere, "2"), kStart + seconds(2));
  EXPECT_EQ(since(kStart).candidate.requests, 27U);
  EXPECT_EQ(since(kStart).candidate.errors, 2U);
}

TEST_F(FiguresTest, AreOfTheRegionsThatAreAskedAbout) {
  hear(report({{kNew, 10}}), kStart);
  hear(report({{kNew, 30}}), kStart + seconds(1));
  EXPECT_EQ(since(kStart, {Region("eu-west")}).candidate.requests, 0U);
  EXPECT_EQ(since(kStart, {Region("eu-west"), kHere}).candidate.requests, 20U);
}

TEST_F(FiguresTest, OfANodeThatCountsBackwardsSayNothing) {
  hear(report({{kNew, 30}}), kStart);
  hear(report({{kNew, 10}}), kStart + seconds(1));
  EXPECT_EQ(since(kStart).candidate.requests, 0U);
}

TEST_F(FiguresTest, StayBoundedAndTrueOverALongWindow) {
  constexpr int kReports = 5000;
  for (int i = 0; i <= kReports; ++i) hear(report({{kNew, 1 + i}}), kStart + seconds(i));
  EXPECT_EQ(since(kStart).candidate.requests, static_cast<std::uint64_t>(kReports));
  constexpr double kCoarse = kReports / 100.0;
  EXPECT_NEAR(static_cast<double>(since(kStart + seconds(kReports / 2)).candidate.requests), kReports / 2.0, kCoarse);
}

TEST_F(FiguresTest, OfAShadowAreWhatWasComparedWithinTheWindow) {
  const auto shadowed = [](std::int64_t compared, std::int64_t mismatched, std::int64_t dropped) {
    NodeReport made = report({{kNew}});
    VersionMetrics metrics{.tenant = kTenant, .name = "m", .moduleId = kNew, .latency = {}};
    metrics.latency.resize(latency_bounds().size() + 1);
    metrics.shadow = ShadowMetrics{.compared = compared,
                                   .mismatched = mismatched,
                                   .dropped = dropped,
                                   .latency = metrics.latency,
                                   .liveLatency = metrics.latency};
    metrics.shadow->latency.at(4) = compared;
    metrics.shadow->liveLatency.at(2) = compared;
    made.versionMetrics.push_back(std::move(metrics));
    return made;
  };
  hear(report({{kNew}}), kStart);
  hear(shadowed(10, 1, 0), kStart + seconds(1));
  hear(shadowed(30, 1, 5), kStart + seconds(2));
  const auto all = since(kStart);
  EXPECT_EQ(all.shadow.compared, 30U);
  EXPECT_EQ(all.shadow.mismatched, 1U);
  EXPECT_EQ(all.shadow.dropped, 5U);
  EXPECT_EQ(all.shadow.latency.counts.at(4), 30U);
  EXPECT_EQ(all.shadow.live_latency.counts.at(2), 30U);
  EXPECT_EQ(all.candidate.requests, 0U) << "copies are no requests";
  const auto late = since(kStart + milliseconds(1500));
  EXPECT_EQ(late.shadow.compared, 20U);
  EXPECT_EQ(late.shadow.mismatched, 0U);
  hear(shadowed(20, 0, 0), kStart + seconds(3));
  EXPECT_EQ(since(kStart).shadow.compared, 30U) << "a node that counts backwards says nothing";
}

TEST_F(FiguresTest, AreForgottenWithTheRollout) {
  hear(report({{kNew, 10}}), kStart);
  hear(report({{kNew, 30}}), kStart + seconds(1));
  figures.keep([](const Region&, const RouteKey&) { return false; });
  EXPECT_EQ(since(kStart).candidate.requests, 0U);
}

}  // namespace
}  // namespace hotswap::control
