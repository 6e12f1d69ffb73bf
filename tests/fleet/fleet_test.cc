// One control plane and three nodes, each a process: deployed to, killed, started again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "fleet/three_nodes.h"

namespace hotswap::e2e {
namespace {

using testing::HasSubstr;

class FleetTest : public ThreeNodes {
 protected:
  using ThreeNodes::ThreeNodes;
  // The node that answered; empty where none did.
  static std::string answered(const json::value& result) {
    const auto* object = result.if_object();
    const auto* value = object == nullptr ? nullptr : object->if_contains("returnValue");
    return value != nullptr && *value == 5 ? std::string(object->at("nodeId").as_string()) : "";
  }
  static bool answers(const NodeProcess& node) { return answered(node.add(2, 3)) == node.id(); }
  [[nodiscard]] json::value add_at_control() const {
    return ask(control_.api(), "POST", "/api/v1/wasm/execute", R"({"module":"add","function":"add","params":[2,3]})");
  }
};

TEST_F(FleetTest, EveryNodeServesWhatWasDeployedAndSaysHowItFares) {
  control_.release("c-add", "add", "1.0.0");
  for (const auto& node : nodes_) EXPECT_TRUE(answers(*node)) << node->id();
  EXPECT_TRUE(eventually([&] {
    const auto shown = control_.node("east-a");
    return shown.at("metrics").at("totalInvocations") == 1 && shown.at("health").at("memoryUsageMB") != 0;
  }));
  const auto shown = control_.node("east-a");
  EXPECT_EQ(shown.at("zone"), "a");
  EXPECT_EQ(shown.at("deployedModules").at(0), "add-v1.0.0");
  EXPECT_NE(shown.at("runtimeVersion"), "");
  EXPECT_GT(shown.at("hardware").at("cpuCores").as_int64(), 0);
  EXPECT_THAT(control_.hotswap({"node", "ls"}), HasSubstr("east-b"));
}

TEST_F(FleetTest, ANodeStartedWithNoControlPlaneInSightServesWhatItServedLast) {
  control_.release("c-add", "add", "1.0.0");
  NodeProcess& node = *nodes_.front();
  ASSERT_TRUE(answers(node));
  node.kill();
  control_.kill();
  node.forget_token();
  node.start();
  EXPECT_TRUE(answers(node));

  control_.start();
  EXPECT_TRUE(eventually([&] { return control_.condition(node.id()) == "Healthy"; }));
  EXPECT_TRUE(answers(node));
}

TEST_F(FleetTest, NodesServeOnWhileTheControlPlaneIsAwayAndFollowItWhenItIsBack) {
  control_.release("c-add", "add", "1.0.0");
  control_.kill();
  for (const auto& node : nodes_) EXPECT_TRUE(answers(*node)) << node->id();
  control_.start();
  for (const auto& node : nodes_) {
    EXPECT_TRUE(eventually([&] { return control_.condition(node->id()) == "Healthy"; })) << node->id();
  }
  control_.release("c-add", "add", "2.0.0");
  for (const auto& node : nodes_) EXPECT_EQ(node->add(1, 1).at("moduleId"), "add-v2.0.0");
}

TEST_F(FleetTest, ASilentNodeBecomesSuspectThenUnhealthyAndIsBackAfterItsReports) {
  NodeProcess& node = *nodes_.back();
  node.kill();
  EXPECT_TRUE(eventually([&] { return control_.condition(node.id()) == "Suspect"; }));
  EXPECT_TRUE(eventually([&] { return control_.condition(node.id()) == "Unhealthy"; }));
  // A deployment does not wait for it.
  control_.release("c-add", "add", "1.0.0");
  EXPECT_TRUE(answers(*nodes_.front()));
  node.start();
  EXPECT_TRUE(eventually([&] { return control_.condition(node.id()) == "Healthy"; }));
  EXPECT_TRUE(eventually([&] { return answers(node); }));
}

TEST_F(FleetTest, ARevokedTokenLetsNobodyJoinAndThoseWhoDidStay) {
  const auto tokens = json::parse(control_.hotswap({"node", "token", "ls", "--output", "json"}));
  control_.hotswap({"node", "token", "revoke", std::string(tokens.at("items").at(0).at("tokenId").as_string())});
  NodeProcess stranger(folder_.path() + "/stranger", {.control = control_.api(), .node = "stranger", .token = token_});
  EXPECT_TRUE(eventually([&] { return stranger.child().err_line().find("revoked") != std::string::npos; }));
  EXPECT_EQ(control_.condition("stranger"), "");
  NodeProcess& node = *nodes_.front();
  node.kill();
  node.start();
  EXPECT_TRUE(eventually([&] { return control_.condition(node.id()) == "Healthy"; }));
  EXPECT_THAT(control_.hotswap({"node", "token", "ls"}), HasSubstr("revoked"));
}

// Gone, or waiting for whoever inherited it to take note.
bool ended(pid_t id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return true;
  return text.substr(text.rfind(')') + 2, 1) == "Z";
}

TEST_F(FleetTest, TheControlPlaneSendsRequestsOnToNodesThatAreReady) {
  EXPECT_EQ(add_at_control().at("status"), 404);
  control_.release("c-add", "add", "1.0.0");
  std::set<std::string> seen;
  EXPECT_TRUE(eventually([&] {
    seen.insert(answered(add_at_control()));
    return seen.size() == 3;
  }));
  EXPECT_FALSE(seen.contains(""));
  // One that is gone is left out at once, before anybody calls it suspect.
  nodes_.front()->kill();
  for (int i = 0; i < 50; ++i) EXPECT_NE(answered(add_at_control()), "") << i;
}

class ReplicatedFleetTest : public FleetTest {
 protected:
  ReplicatedFleetTest() : FleetTest(Settings{"--replicas", "1"}) {}
};

TEST_F(ReplicatedFleetTest, EveryGatewayAnswersForWhatOneNodeHoldsAndAnotherTakesItOver) {
  control_.release("c-add", "add", "1.0.0");
  const auto holder = [&]() -> NodeProcess& {
    const std::string id = answered(add_at_control());
    return **std::ranges::find_if(nodes_, [&](const auto& node) { return node->id() == id; });
  };
  NodeProcess& first = holder();
  for (const auto& node : nodes_) {
    EXPECT_TRUE(eventually([&] { return answered(node->add(2, 3)) == first.id(); })) << node->id();
  }
  control_.hotswap({"node", "drain", first.id()});
  EXPECT_TRUE(eventually([&] { return answered(add_at_control()) != first.id(); }));
  NodeProcess& second = holder();
  EXPECT_TRUE(eventually([&] { return answered(first.add(2, 3)) == second.id(); }));

  second.kill();
  EXPECT_TRUE(eventually([&] {
    const std::string id = answered(add_at_control());
    return !id.empty() && id != first.id() && id != second.id();
  }));
}

TEST(UpWithNodes, RunsThemAsProcessesThatEndWithIt) {
  Folder folder;
  Child up({"up", "--nodes", "2", "--regions", "us-east,eu-west", "--data", folder.path(), "--api", "127.0.0.1:0",
            "--gateway", "127.0.0.1:0", "--threads", "1", "--instances", "16", "--output", "json"});
  const auto ready = json::parse(up.out_line());
  const std::string api(ready.at("api").as_string());
  const auto& nodes = ready.at("nodes").as_array();
  ASSERT_EQ(nodes.size(), 2U);
  EXPECT_EQ(nodes.at(1).at("region"), "eu-west");
  EXPECT_TRUE(eventually([&] {
    const auto listed = ask(api, "GET", "/api/v1/wasm/nodes");
    return listed.at("items").as_array().size() == 2 && listed.at("items").at(0).at("condition") == "Healthy" &&
           listed.at("items").at(1).at("condition") == "Healthy";
  }));
  // Killed, it takes them along.
  up.send(SIGKILL);
  up.wait();
  for (const auto& node : nodes) {
    const auto id = static_cast<pid_t>(node.at("pid").as_int64());
    EXPECT_TRUE(eventually([&] { return ended(id); })) << id;
  }
}

}  // namespace
}  // namespace hotswap::e2e
