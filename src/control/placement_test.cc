// Where modules are: as many copies as the region wants, moved when nodes come, drain or fail.
#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::HasSubstr;

class PlacementTest : public testing::Test {
 protected:
  static Options with_replicas(int replicas) {
    Options options;
    options.regions = {{Region("local"), Environment::development, replicas}};
    return options;
  }
  void add_nodes(std::size_t count, const Conduct& conduct = {}) {
    for (const std::size_t all = nodes_.size() + count; nodes_.size() < all;) {
      const std::size_t i = nodes_.size();
      NodeDescription about;
      about.nodeId = NodeId("n" + std::to_string(i));
      about.hostname = "127.0.0.1";
      about.region = Region("local");
      about.zone = std::string(1, static_cast<char>('a' + static_cast<int>(i)));
      about.runtimeVersion = "48";
      EXPECT_TRUE(run(platform_.app().introduce(about)));
      nodes_.push_back(std::make_unique<TestNode>(platform_, about.nodeId.str(), "local", conduct));
    }
  }
  std::string release(const std::string& name, const std::string& version) {
    const std::string id = platform_.create(name, version);
    EXPECT_EQ(platform_.verb(id, "execute").status, 202U);
    EXPECT_EQ(platform_.wait_finished(id).status, DeploymentStatus::Completed);
    return name + "-v" + version;
  }
  std::vector<std::size_t> holders(const std::string& module_id) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i]->serves(module_id)) found.push_back(i);
    }
    return found;
  }
  static std::string of(std::size_t node, const std::string& rest) {
    return "/api/v1/wasm/nodes/n" + std::to_string(node) + rest;
  }

  explicit PlacementTest(int replicas = 1) : platform_(with_replicas(replicas)) {}

  Platform platform_;
  std::vector<std::unique_ptr<TestNode>> nodes_;
};

TEST_F(PlacementTest, AModuleIsOnAsManyNodesAsItsRegionWants) {
  add_nodes(3);
  std::set<std::size_t> used;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    const auto id = release(name, "1.0.0");
    ASSERT_TRUE(eventually([&] { return holders(id).size() == 1; })) << name;
    used.insert(holders(id).front());
  }
  EXPECT_GT(used.size(), 1U);
}

TEST_F(PlacementTest, AFirstDeploymentEndsWhenTheOtherGatewaysOfItsRegionKnowTheRoute) {
  add_nodes(2);
  for (const auto& node : nodes_) node->report_as({.routes = false});
  const std::string id = platform_.create("greeter", "1.0.0");
  EXPECT_EQ(platform_.verb(id, "execute").status, 202U);
  ASSERT_TRUE(eventually([&] { return holders("greeter-v1.0.0").size() == 1; }));
  const std::size_t holder = holders("greeter-v1.0.0").front();
  nodes_[holder]->report_as({});
  EXPECT_EQ(platform_.verb(id, "pause").status, 200U) << "it has ended, and the other gateway does not know";
  EXPECT_EQ(platform_.verb(id, "resume").status, 200U);
  nodes_[1 - holder]->report_as({});
  EXPECT_EQ(platform_.wait_finished(id).status, DeploymentStatus::Completed);
}

TEST_F(PlacementTest, ANewVersionTakesThePlaceOfTheOldOneWhereItIs) {
  add_nodes(3);
  const auto first = release("greeter", "1.0.0");
  ASSERT_TRUE(eventually([&] { return holders(first).size() == 1; }));
  const auto where = holders(first);
  const auto second = release("greeter", "2.0.0");
  EXPECT_TRUE(eventually([&] { return holders(second) == where && holders(first).empty(); }));
}

TEST_F(PlacementTest, ADrainedNodeGivesItsCopiesAwayOnceTheyAreReadyElsewhere) {
  add_nodes(2);
  const auto id = release("greeter", "1.0.0");
  ASSERT_TRUE(eventually([&] { return holders(id).size() == 1; }));
  const std::size_t from = holders(id).front();
  const std::size_t to = 1 - from;
  nodes_[to]->behave({.makes_ready = false, .routes = true, .fails = ""});
  platform_.post(of(from, "/drain"));
  ASSERT_TRUE(nodes_[to]->wait([](const DesiredState& state) { return state.versions.size() == 1; }));
  EXPECT_TRUE(nodes_[from]->serves(id));
  nodes_[to]->behave({});
  EXPECT_TRUE(eventually([&] { return holders(id) == std::vector{to}; }));
  platform_.post(of(from, "/enable"));
  EXPECT_TRUE(eventually([&] { return holders(id) == std::vector{from}; }));
}

TEST_F(PlacementTest, WhatANodeDoesNotServeYetItSendsOnToThoseThatDo) {
  add_nodes(2);
  const auto id = release("greeter", "1.0.0");
  ASSERT_TRUE(eventually([&] { return holders(id).size() == 1; }));
  const std::size_t from = holders(id).front();
  const std::size_t to = 1 - from;
  const auto sends_on = [&](const DesiredState& state) {
    return state.remotes.size() == 1 && state.remotes[0]->versions == std::vector{ModuleId(id)} &&
           state.remotes[0]->peers.size() == 1 && state.remotes[0]->peers[0].node.str() == "n" + std::to_string(from) &&
           state.remotes[0]->peers[0].key == "key of n" + std::to_string(from);
  };
  EXPECT_TRUE(nodes_[to]->wait(sends_on));
  EXPECT_TRUE(nodes_[from]->state().remotes.empty());
  // Told to hold it, it goes on so until it is ready.
  nodes_[to]->behave({.makes_ready = false});
  platform_.post(of(from, "/drain"));
  EXPECT_TRUE(
      nodes_[to]->wait([&](const DesiredState& state) { return state.versions.size() == 1 && sends_on(state); }));
  nodes_[to]->behave({});
  EXPECT_TRUE(nodes_[to]->wait([](const DesiredState& state) { return state.remotes.empty(); }));
}

TEST_F(PlacementTest, ANodeMayLeaveWhenAnotherServesWhatItHeldAndNobodySendsItRequests) {
  add_nodes(3);
  const auto id = release("greeter", "1.0.0");
  ASSERT_TRUE(eventually([&] { return holders(id).size() == 1; }));
  TestNode& leaving = *nodes_[holders(id).front()];
  const std::string path = of(holders(id).front(), "");
  for (const auto& node : nodes_) {
    if (node.get() != &leaving) node->report_as({.makes_ready = false});
  }
  leaving.report_as({.leaves = true});
  EXPECT_EQ(platform_.get(path).text("/condition"), "Leaving");
  // The other two know of nobody else who serves it.
  EXPECT_FALSE(leaving.may_leave());
  for (const auto& node : nodes_) {
    if (node.get() != &leaving) node->report_as({.routes = false});
  }
  ASSERT_TRUE(eventually([&] { return holders(id).size() == 1 && !leaving.serves(id); }));
  // Somebody else serves it; not everybody says yet that they know.
  leaving.report_as({.leaves = true});
  EXPECT_FALSE(leaving.may_leave());
  for (const auto& node : nodes_) {
    if (node.get() != &leaving) node->report_as({});
  }
  EXPECT_TRUE(eventually([&] {
    leaving.report_as({.leaves = true});
    return leaving.may_leave();
  }));
  leaving.report_as({});
  EXPECT_EQ(platform_.get(path).text("/condition"), "Healthy");
}

TEST_F(PlacementTest, WhatAFailedNodeHeldComesToAnother) {
  add_nodes(2);
  const auto id = release("greeter", "1.0.0");
  ASSERT_TRUE(eventually([&] { return holders(id).size() == 1; }));
  const std::size_t from = holders(id).front();
  nodes_[from]->disconnect();
  platform_.clock().advance(40s);
  // The other one was silent as long: two reports bring it back.
  nodes_[1 - from]->behave({});
  nodes_[1 - from]->behave({});
  EXPECT_TRUE(eventually([&] { return nodes_[1 - from]->serves(id); }));
}

TEST_F(PlacementTest, APinnedVersionIsServedWhateverTheRegionRoutes) {
  add_nodes(2);
  release("greeter", "1.0.0");
  const auto second = release("greeter", "2.0.0");
  EXPECT_EQ(platform_.post(of(0, "/pins"), R"({"moduleId":"greeter-v1.0.0"})").status, 200U);
  EXPECT_TRUE(eventually([&] { return nodes_[0]->serves("greeter-v1.0.0") && !nodes_[0]->serves(second); }));
  EXPECT_EQ(platform_.send("DELETE", "/api/v1/wasm/modules/greeter-v1.0.0").status, 409U);
  platform_.send("DELETE", of(0, "/pins/greeter-v1.0.0"));
  EXPECT_TRUE(eventually([&] { return !nodes_[0]->serves("greeter-v1.0.0"); }));
}

TEST(RegionLock, NoDeploymentTakesALockedModuleElsewhere) {
  Options options;
  options.regions = {{Region("here")}, {Region("there")}};
  Platform platform(options);
  const TestNode here(platform, "h", "here");
  const TestNode there(platform, "t", "there");
  const auto registered = platform.send("POST", "/api/v1/wasm/modules?name=locked&version=1.0.0&allowedRegions=here",
                                        tiny_module(), "application/wasm");
  EXPECT_EQ(registered.text("/allowedRegions"), R"(["here"])");
  const auto deploy = [&](const char* regions) {
    return platform.post("/api/v1/wasm/deployments",
                         std::string(R"({"moduleId":"locked-v1.0.0","targetRegions":)") + regions + "}");
  };
  EXPECT_EQ(deploy(R"(["there"])").status, 422U);
  EXPECT_EQ(deploy(R"(["here","there"])").status, 422U);
  EXPECT_EQ(deploy(R"(["all"])").text("/targetRegions"), R"(["here"])");
}

TEST_F(PlacementTest, ARestartedControlPlaneLeavesEverythingWhereItIs) {
  add_nodes(3);
  const auto id = release("greeter", "1.0.0");
  ASSERT_TRUE(eventually([&] { return holders(id).size() == 1; }));
  const auto where = holders(id);
  for (auto& node : nodes_) node->disconnect();
  platform_.stop();
  platform_.start();
  for (auto& node : nodes_) node->connect(platform_);
  EXPECT_TRUE(eventually([&] { return holders(id) == where; }));
}

// Where a region's modules are on every node.
class EverywhereTest : public PlacementTest {
 protected:
  EverywhereTest() : PlacementTest(0) {}
  static std::vector<std::string> fallback(const DesiredState& state) {
    std::vector<std::string> nodes;
    for (const auto& peer : state.fallback) nodes.push_back(peer.node.str());
    return nodes;
  }
  [[nodiscard]] bool everybody_falls_back_to(const std::vector<std::string>& wanted) {
    return std::ranges::all_of(nodes_, [&](const auto& node) {
      return node->wait([&](const DesiredState& state) { return fallback(state) == wanted; });
    });
  }
};

TEST_F(EverywhereTest, WhatANodeHasNotYetReadyItFindsOnThoseThatHoldEverything) {
  add_nodes(2);
  const auto id = release("greeter", "1.0.0");
  EXPECT_TRUE(everybody_falls_back_to({"n0", "n1"}));
  EXPECT_EQ(nodes_[0]->state().fallback[1].key, "key of n1");
  add_nodes(1, {.makes_ready = false});
  EXPECT_TRUE(nodes_[2]->wait([&](const DesiredState& state) {
    return state.versions.size() == 1 && fallback(state) == std::vector<std::string>{"n0", "n1"};
  }));
  nodes_[2]->behave({});
  EXPECT_TRUE(everybody_falls_back_to({"n0", "n1", "n2"}));
}

TEST_F(EverywhereTest, ANodeThatIsTheFallbackLeavesWhenNobodySendsItRequests) {
  add_nodes(2);
  const auto id = release("greeter", "1.0.0");
  ASSERT_TRUE(everybody_falls_back_to({"n0", "n1"}));
  add_nodes(1, {.makes_ready = false});
  ASSERT_TRUE(nodes_[2]->wait([&](const DesiredState& state) { return fallback(state).size() == 2; }));
  nodes_[2]->report_as({.makes_ready = false, .routes = false});
  nodes_[0]->report_as({.leaves = true});
  EXPECT_FALSE(nodes_[0]->may_leave()) << "n2 may still send it requests";
  EXPECT_TRUE(everybody_falls_back_to({"n1"}));
  nodes_[2]->report_as({.makes_ready = false});
  nodes_[0]->report_as({.leaves = true});
  EXPECT_TRUE(nodes_[0]->may_leave());
}

TEST_F(EverywhereTest, ANodeThatDrainsTakesThePlaceOfTheFallbackByWhoeverServesEachName) {
  add_nodes(2);
  const auto id = release("greeter", "1.0.0");
  ASSERT_TRUE(everybody_falls_back_to({"n0", "n1"}));
  platform_.post(of(0, "/drain"));
  EXPECT_TRUE(everybody_falls_back_to({}));
  platform_.post(of(0, "/enable"));
  EXPECT_TRUE(everybody_falls_back_to({"n0", "n1"}));
}

}  // namespace
}  // namespace hotswap::control
