// How an agent checks the health of what it holds.
#include "node/agent_fixture.h"

namespace hotswap::node {
namespace {

using testing::HasSubstr;

TEST_F(AgentTest, ChecksHealthBeforeAVersionIsReady) {
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.successThreshold = 3};
  publish(state(1, {version}, {}));
  control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_EQ(loader_.last->health_checks, 3);
}

TEST_F(AgentTest, AVersionThatAnswersWronglyFailsAfterItsThreshold) {
  loader_.answer = "no";
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.failureThreshold = 2};
  publish(state(1, {version}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Failed; });
  EXPECT_THAT(report.versions[0].reason, HasSubstr("expected OK"));
}

TEST_F(AgentTest, AModuleWithoutAHealthCheckIsReadyAndSaysSo) {
  loader_.answer = "";
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{};
  publish(state(1, {version}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_THAT(report.versions[0].reason, HasSubstr("skipped"));
}

auto checked(std::int64_t number) {
  return [number](const NodeReport& report) {
    return report.versions.size() == 1 && report.versions[0].checkNumber == number;
  };
}

TEST_F(AgentTest, RunsTheHealthCheckAgainForEachNumberThatItIsGiven) {
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.failureThreshold = 1};
  publish(state(1, {version}, {}));
  EXPECT_EQ(control_.wait_for(ready(1)).versions[0].checkNumber, 0);

  version.checkNumber = 7;
  publish(state(2, {version}, {}));
  EXPECT_EQ(control_.wait_for(checked(7)).versions[0].checkFailure, "");
  EXPECT_EQ(loader_.last->health_checks, 2);

  loader_.last->ill = true;
  version.checkNumber = 8;
  publish(state(3, {version}, {}));
  const auto failed = control_.wait_for(checked(8));
  EXPECT_THAT(failed.versions[0].checkFailure, HasSubstr("it is ill"));
  EXPECT_EQ(failed.versions[0].state, VersionState::Ready);

  loader_.last->ill = false;
  version.checkNumber = 9;
  publish(state(4, {version}, {}));
  EXPECT_EQ(control_.wait_for(checked(9)).versions[0].checkFailure, "");
  // The same number, and none, ask for nothing.
  publish(state(5, {version}, {}));
  control_.wait_for(ready(5));
  version.checkNumber = 0;
  publish(state(6, {version}, {}));
  EXPECT_EQ(control_.wait_for(ready(6)).versions[0].checkNumber, 9);
  EXPECT_EQ(loader_.last->health_checks, 4);
}

TEST_F(AgentTest, APreparationAnswersTheCheckThatWasAskedForBeforeItEnded) {
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{};
  version.checkNumber = 5;
  publish(state(1, {version}, {}));
  control_.wait_for([](const NodeReport& r) { return checked(5)(r) && ready(1)(r); });
  EXPECT_EQ(loader_.last->health_checks, 1);
}

TEST_F(AgentTest, AVersionWithoutACheckAnswersAtOnce) {
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.enabled = false};
  publish(state(1, {version}, {}));
  control_.wait_for(ready(1));
  version.checkNumber = 5;
  publish(state(2, {version}, {}));
  EXPECT_EQ(control_.wait_for(checked(5)).versions[0].checkFailure, "");
  EXPECT_EQ(loader_.last->health_checks, 0);
}

TEST_F(AgentTest, AsksAnHttpHandlerForItsPath) {
  auto version = desired_version("site", 1);
  version.healthCheck = HealthCheck{.httpPath = "/health?deep=1", .successThreshold = 2};
  publish(state(1, {version}, {}));
  control_.wait_for(ready(1));
  EXPECT_EQ(loader_.last->asked, "/health?deep=1");
  EXPECT_EQ(loader_.last->health_checks, 2);

  loader_.last->status = 503;
  version.healthCheck->failureThreshold = 1;
  version.checkNumber = 2;
  publish(state(2, {version}, {}));
  EXPECT_THAT(control_.wait_for(checked(2)).versions[0].checkFailure,
              HasSubstr("health check /health?deep=1 failed 1 times: expected status 200, got 503"));
  version.healthCheck->httpStatus = 503;
  version.checkNumber = 3;
  publish(state(3, {version}, {}));
  EXPECT_EQ(control_.wait_for(checked(3)).versions[0].checkFailure, "");
}

TEST_F(AgentTest, AModuleThatServesNoHttpFailsACheckOfAPath) {
  loader_.http = false;
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.httpPath = "/health", .failureThreshold = 1};
  publish(state(1, {version}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Failed; });
  EXPECT_THAT(report.versions[0].reason, HasSubstr("no HTTP handler"));
}

}  // namespace
}  // namespace hotswap::node
