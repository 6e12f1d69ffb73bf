// A control plane that crashes and comes back, at every step.
#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::ElementsAre;

TEST(Restarting, CarriesOnFromEveryStep) {
  Platform platform;
  TestNode node(platform, "node-1", "local", {.makes_ready = false, .routes = false, .fails = ""});
  const auto crash = [&] {
    node.disconnect();
    platform.stop();
    platform.start();
    node.connect(platform);
  };
  const std::string id = platform.create("greeter", "1.0.0");
  crash();
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::Pending);
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.revision > 0; }));
  EXPECT_EQ(platform.verb(id, "execute").status, 202U);
  crash();
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::InProgress);
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
  node.behave({.makes_ready = true, .routes = false, .fails = ""});
  EXPECT_EQ(platform.wait_step(id, 1).step, 1);
  crash();
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::InProgress);
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.routes.size() == 1; }));
  node.behave({});
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  crash();
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::Completed);
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.routes.size() == 1; }));
  EXPECT_TRUE(node.serves("greeter-v1.0.0"));
  EXPECT_EQ(node.unready_routes(), 0);
  EXPECT_EQ(node.backward_revisions(), 0);

  std::int64_t sequence = 0;
  for (const auto& event : platform.events(id)) EXPECT_EQ(event.sequence, ++sequence);
}

TEST(Restarting, KeepsTheWayBackOfADeploymentInProgress) {
  Options options;
  options.rollback_settle = 10ms;  // the node will not report the routes
  Platform platform(options);
  TestNode node(platform, "node-1");
  const std::string first = platform.create("greeter", "1.0.0");
  platform.verb(first, "execute");
  ASSERT_EQ(platform.wait_finished(first).status, DeploymentStatus::Completed);
  const auto before = platform.routes();
  node.behave({.makes_ready = true, .routes = false, .fails = ""});
  const std::string second = platform.create("greeter", "2.0.0");
  platform.verb(second, "execute");
  ASSERT_EQ(platform.wait_step(second, 1).step, 1);
  node.disconnect();
  platform.stop();
  platform.start();
  node.connect(platform);
  EXPECT_EQ(platform.verb(second, "rollback").text("/status"), "RolledBack");
  EXPECT_EQ(platform.routes(), before);
  EXPECT_EQ(node.unready_routes(), 0);
}

TEST(Restarting, NeverGoesBackWithRevisionsEvenWhenTheClockDoes) {
  Platform platform;
  platform.clock().advance(1h);
  TestNode node(platform, "node-1");
  const std::string id = platform.create("greeter", "1.0.0");
  platform.verb(id, "execute");
  ASSERT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  const auto reached = node.state().revision;
  node.disconnect();
  platform.stop();
  platform.clock().advance(-1h);
  platform.start();
  node.connect(platform);
  EXPECT_TRUE(node.wait([&](const DesiredState& state) { return state.revision > reached; }));
  const std::string next = platform.create("greeter", "2.0.0");
  platform.verb(next, "execute");
  EXPECT_EQ(platform.wait_finished(next).status, DeploymentStatus::Completed);
  EXPECT_EQ(node.backward_revisions(), 0);
  EXPECT_EQ(node.unready_routes(), 0);
}

TEST(Restarting, ANodeMakesItsEarlierReportsWorthless) {
  Platform platform;
  const Conduct idle{.makes_ready = false, .routes = true, .fails = ""};
  TestNode slow(platform, "slow", "local", idle);
  const std::string id = [&] {
    TestNode first_life(platform, "node-1");
    const std::string made = platform.create("greeter", "1.0.0");
    EXPECT_TRUE(slow.wait([](const DesiredState& state) { return state.revision > 0; }));
    EXPECT_TRUE(first_life.wait([](const DesiredState& state) { return state.revision > 0; }));
    platform.verb(made, "execute");
    EXPECT_TRUE(first_life.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
    EXPECT_TRUE(eventually([&] { return platform.get("/api/v1/wasm/nodes").text("/items/0/versionsReady") == "1"; }));
    return made;
  }();
  TestNode second_life(platform, "node-1", "local", idle);
  ASSERT_TRUE(second_life.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
  EXPECT_TRUE(eventually([&] { return platform.get("/api/v1/wasm/nodes").text("/items/0/versionsReady") == "0"; }));
  slow.behave({});
  EXPECT_TRUE(eventually([&] { return platform.get("/api/v1/wasm/nodes").text("/items/1/versionsReady") == "1"; }));
  EXPECT_EQ(platform.deployment(id).step, 0);
  second_life.behave({});
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  EXPECT_EQ(second_life.unready_routes(), 0);
}

TEST(LosingTheStore, DuringAStepIsMadeUpFor) {
  for (const auto fault : {FlakyStore::Fault::lose_change, FlakyStore::Fault::lose_answer}) {
    Platform platform;
    TestNode node(platform, "node-1", "local", {.makes_ready = false, .routes = true, .fails = ""});
    const std::string id = platform.create("greeter", "1.0.0");
    platform.verb(id, "execute");
    ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
    platform.store().break_next(fault);
    node.behave({});
    EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
    EXPECT_TRUE(node.serves("greeter-v1.0.0"));
    EXPECT_EQ(platform.events(id).size(), 8U);
  }
}

TEST(Restarting, WithoutARegionHidesItsRoutesUntilItComesBack) {
  Options both;
  both.regions = {{Region("east"), {}}, {Region("west"), {}}};
  Platform platform(both);
  TestNode east(platform, "e", "east");
  TestNode west(platform, "w", "west");
  const std::string id = platform.create("greeter", "1.0.0", {{"targetRegions", json::array{"all"}}});
  platform.verb(id, "execute");
  ASSERT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  const auto before = platform.routes();
  ASSERT_EQ(before.size(), 2U);
  east.disconnect();
  west.disconnect();
  Options one;
  one.regions = {{Region("east"), {}}};
  platform.restart(one);
  EXPECT_THAT(platform.routes(), ElementsAre(before[0]));
  platform.restart(both);
  EXPECT_EQ(platform.routes(), before);
}

TEST(LosingTheStore, DuringARequestLeavesOneTruth) {
  Platform platform;
  TestNode node(platform, "node-1");
  platform.upload("greeter", "1.0.0");
  const std::string body = R"({"moduleId":"greeter-v1.0.0","targetRegions":["local"]})";
  platform.store().break_next(FlakyStore::Fault::lose_change);
  EXPECT_EQ(platform.post("/api/v1/wasm/deployments", body).status, 503U);
  platform.store().break_next(FlakyStore::Fault::lose_answer);
  EXPECT_EQ(platform.post("/api/v1/wasm/deployments", body).status, 503U);
  // It was created all the same.
  const std::string id = platform.get("/api/v1/wasm/deployments").text("/items/0/deploymentId");
  platform.store().break_next(FlakyStore::Fault::lose_answer);
  EXPECT_EQ(platform.verb(id, "execute").status, 503U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  platform.store().break_next(FlakyStore::Fault::lose_answer);
  EXPECT_EQ(platform.verb(id, "rollback").status, 503U);
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::RolledBack);
  EXPECT_TRUE(node.wait([](const DesiredState& state) { return state.routes.empty(); }));
}

}  // namespace
}  // namespace hotswap::control
