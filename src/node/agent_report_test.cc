// What an agent says about itself.
#include "node/agent_fixture.h"

namespace hotswap::node {
namespace {

TEST_F(AgentTest, ReportsHowOftenAVersionWasCalled) {
  const auto version = desired_version("add", 1);
  publish(state(1, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(1));
  table()->by_name(version.tenant, "add", 0)->meter->requests.add(5);
  EXPECT_EQ(control_.wait_for_count(version.moduleId.str()), 5);
}

TEST_F(AgentTest, ReportsAtThePaceThatTheControlPlaneSets) {
  control_.report_every = 1;
  publish(state(1, {desired_version("add", 1)}, {}));
  control_.wait_for(ready(1));
  const auto before = control_.report_count();
  const auto report = control_.wait_for([&](const NodeReport&) { return true; });
  for (const auto until = std::chrono::steady_clock::now() + 30s;
       control_.report_count() < before + 3 && std::chrono::steady_clock::now() < until;) {
  }
  EXPECT_GE(control_.report_count(), before + 3);
  EXPECT_EQ(report.incarnation, "first life");
  EXPECT_GT(report.health.value_or(NodeHealth{}).memoryUsageMB, 0);
}

TEST_F(AgentTest, ReportsWhatChangedAndEverythingToAControlPlaneThatForgot) {
  const auto one = desired_version("one", 1);
  const auto two = desired_version("two", 2);
  publish(state(1, {one}, {}));
  control_.wait_for(ready(1));
  publish(state(2, {one, two}, {}));
  control_.wait_for([](const NodeReport& r) { return r.routedRevision == 2 && r.versions.size() == 2; });
  EXPECT_EQ(control_.whole_and_in_part().first, 1);
  control_.forget_reports();
  publish(state(3, {two}, {}));
  const auto last = control_.wait_for([](const NodeReport& r) { return r.routedRevision == 3; });
  EXPECT_THAT(last.versions, testing::ElementsAre(testing::Field(&VersionReport::moduleId, two.moduleId)));
  const auto [whole, in_part] = control_.whole_and_in_part();
  EXPECT_EQ(whole, 2);
  EXPECT_GE(in_part, 2);
}

TEST_F(AgentTest, ReportsWhatEachVersionDid) {
  const auto version = desired_version("add", 1);
  control_.report_every = 1;
  publish(state(1, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(1));
  auto& meter = *table()->by_name(version.tenant, "add", 0)->meter;
  meter.requests.add(2);
  meter.failures.add(1);
  meter.latency.record(0.5);
  meter.latency.record(100);
  const auto report = control_.wait_for([](const NodeReport& r) { return !r.versionMetrics.empty(); });
  const auto& metrics = report.versionMetrics.front();
  EXPECT_EQ(metrics.name, "add");
  EXPECT_EQ(metrics.moduleId, version.moduleId);
  EXPECT_EQ(metrics.requests, 2);
  EXPECT_EQ(metrics.failures, 1);
  ASSERT_EQ(metrics.latency.size(), latency_bounds().size() + 1);
  EXPECT_EQ(metrics.latency.back(), 1);
  EXPECT_DOUBLE_EQ(metrics.latencySeconds, 100.5);
}

TEST_F(AgentTest, ReportsWhatCopiesOfRequestsShowedAndExamplesOfTheShadowThatGoesOn) {
  const auto one = desired_version("add", 1);
  const auto two = desired_version("add", 2);
  control_.report_every = 1;
  auto route = route_to("add", {{one.moduleId, 100}});
  const auto plain = route;
  route.shadow = ShadowRule{.moduleId = two.moduleId, .percent = 100, .ignorePaths = {}, .allowOutbound = false};
  publish(state(1, {one, two}, {route}));
  control_.wait_for(ready(1));
  auto& meter = table()->shadow_of(one.tenant, "add")->version->meter->shadow;
  meter.compared.add(3);
  meter.mismatched.add(1);
  meter.latency.record(100);
  meter.keep({.nodeId = NodeId("n1"), .request = "f", .differs = "d", .live = "1", .shadow = "2", .traceId = "t"});
  const auto report = control_.wait_for([](const NodeReport& r) { return !r.shadowExamples.empty(); });
  EXPECT_EQ(report.shadowExamples[0].moduleId, two.moduleId);
  EXPECT_EQ(report.shadowExamples[0].examples.at(0).request, "f");
  ASSERT_EQ(report.versionMetrics.size(), 1U);
  EXPECT_EQ(report.versionMetrics[0].moduleId, two.moduleId);
  EXPECT_EQ(report.versionMetrics[0].requests, 0);
  ASSERT_TRUE(report.versionMetrics[0].shadow);
  EXPECT_EQ(report.versionMetrics[0].shadow->compared, 3);
  EXPECT_EQ(report.versionMetrics[0].shadow->mismatched, 1);
  EXPECT_EQ(report.versionMetrics[0].shadow->latency.back(), 1);

  publish(state(2, {one, two}, {plain}));
  EXPECT_TRUE(control_.wait_for(ready(2)).shadowExamples.empty());
  publish(state(3, {one, two}, {route}));
  const auto again = control_.wait_for(ready(3));
  EXPECT_TRUE(again.shadowExamples.empty()) << "they were of another try";
  EXPECT_EQ(again.versionMetrics.at(0).shadow.value_or(ShadowMetrics{}).compared, 3) << "counts only grow";
}

}  // namespace
}  // namespace hotswap::node
