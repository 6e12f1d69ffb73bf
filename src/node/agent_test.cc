#include "node/agent_fixture.h"

namespace hotswap::node {
namespace {

using testing::HasSubstr;

TEST_F(AgentTest, MakesAVersionReadyRoutesItAndReports) {
  const auto version = desired_version("add", 1);
  publish(state(1, {version}, {}));
  control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_EQ(table()->by_name(version.tenant, "add", 0), nullptr);
  publish(state(2, {version}, {route_to("add", {{version.moduleId, 100}})}));
  const auto report = control_.wait_for(ready(2));
  EXPECT_EQ(report.nodeId, NodeId("n1"));
  EXPECT_NE(table()->by_name(version.tenant, "add", 0), nullptr);
  EXPECT_EQ(control_.fetched, 1);
}

TEST_F(AgentTest, AFailureIsReportedWithItsReason) {
  publish(state(1, {desired_version("bad", 1)}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Failed; });
  EXPECT_EQ(report.versions[0].reason, "cannot be compiled");
}

TEST_F(AgentTest, AnUnusableCacheEntryIsMadeAgainFromTheBinary) {
  loader_.pretends_cached = true;
  publish(state(1, {desired_version("add", 1)}, {}));
  control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_EQ(control_.fetched, 1);
}

TEST_F(AgentTest, LetsGoOfWhatIsNoLongerWanted) {
  const auto one = desired_version("add", 1);
  const auto two = desired_version("add", 2);
  publish(state(1, {one, two}, {route_to("add", {{one.moduleId, 100}})}));
  control_.wait_for([](const NodeReport& r) { return ready(1)(r) && r.versions.size() == 2; });
  publish(state(2, {two}, {route_to("add", {{two.moduleId, 100}})}));
  const auto report = control_.wait_for(ready(2));
  EXPECT_EQ(report.versions.size(), 1);
  EXPECT_EQ(table()->by_id(one.tenant, one.moduleId.str()), nullptr);
}

TEST_F(AgentTest, ServesOnWhileTheControlPlaneIsAway) {
  const auto version = desired_version("add", 1);
  publish(state(1, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(1));
  asio::post(home(), asio::use_future([this] { control_.fail_next_polls(3); })).get();
  EXPECT_NE(table()->by_name(version.tenant, "add", 0), nullptr);
  publish(state(2, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(2));
}

TEST_F(AgentTest, ADownloadThatBreaksOffIsTriedAgain) {
  control_.failed_fetches = 3;
  publish(state(1, {desired_version("add", 1)}, {}));
  control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_EQ(control_.fetched, 4);
}

TEST_F(AgentTest, ABinaryThatStaysCorruptFailsItsVersion) {
  control_.fetch_failure = ErrorKind::kUpstream;
  control_.failed_fetches = 100;
  publish(state(1, {desired_version("add", 1)}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Failed; });
  EXPECT_EQ(report.versions[0].reason, "broken off");
  EXPECT_EQ(control_.fetched, limits::kCorruptDownloads);
}

TEST_F(AgentTest, KeepsTheOldVersionServingUntilTheOneInItsPlaceIsReady) {
  const auto one = desired_version("add", 1);
  const auto two = desired_version("add", 2);
  publish(state(1, {one}, {route_to("add", {{one.moduleId, 100}})}));
  control_.wait_for(ready(1));
  control_.failed_fetches = 1'000'000;
  publish(state(2, {two}, {route_to("add", {{two.moduleId, 100}})}));
  control_.wait_for([](const NodeReport& r) { return r.routedRevision == 2; });
  ASSERT_NE(table()->by_name(one.tenant, "add", 0), nullptr);
  EXPECT_EQ(table()->by_name(one.tenant, "add", 0)->id, one.moduleId);
  control_.failed_fetches = 0;
  control_.wait_for(ready(2));
  EXPECT_EQ(table()->by_name(one.tenant, "add", 0)->id, two.moduleId);
  EXPECT_EQ(table()->by_id(one.tenant, one.moduleId.str()), nullptr);
}

TEST_F(AgentTest, StartsWithWhatItLastServedWhereTheControlPlaneIsAway) {
  const auto version = desired_version("add", 1);
  publish(state(7, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(7));
  for (const auto until = std::chrono::steady_clock::now() + 30s;
       !std::filesystem::exists(kept_) && std::chrono::steady_clock::now() < until;) {
  }
  stop();
  agent_.reset();
  publish({.revision = -1, .versions = {}, .routes = {}});
  asio::post(home(), asio::use_future([this] {
               control_.fail_next_polls(1'000'000);
               asio::co_spawn(
                   home(), [this]() -> Task<void> { co_await snapshot_.publish(std::make_shared<const RouteTable>()); },
                   asio::detached);
             }))
      .get();
  start();
  asio::co_spawn(home(), agent_->until_settled(), asio::use_future).get();
  EXPECT_NE(table()->by_name(version.tenant, "add", 0), nullptr);
}

}  // namespace
}  // namespace hotswap::node
