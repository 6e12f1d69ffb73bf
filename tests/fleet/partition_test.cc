// Control plane and nodes on machines of their own, between which the network is cut and healed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "fleet/load.h"
#include "fleet/network.h"

namespace hotswap::e2e {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr LoadOptions kSteady{.pause = std::chrono::milliseconds(2)};

// Two nodes in us-east, each on a machine of its own; one in eu-west.
struct Machines {
  Machines()
      : control(folder.path() + "/control", {"--regions", "us-east,eu-west", "--deployments-per-hour", "0"},
                network.add("control")),
        token(control.join_token()) {
    add("east-a", "us-east");
    add("east-b", "us-east");
    add("west-a", "eu-west");
    for (const auto& node : nodes) {
      EXPECT_TRUE(eventually([&] { return condition(node->id()) == "Healthy"; })) << node->id();
    }
    control.release("c-add", "add", "1.0.0");
    control.hotswap({"module", "push", sample("c-add"), "--name", "add", "--version", "2.0.0"});
  }
  void add(const std::string& name, const std::string& region) {
    nodes.push_back(std::make_unique<NodeProcess>(
        folder.path() + "/" + name,
        NodeProcess::Wish{
            .control = control.api(), .node = name, .token = token, .region = region, .place = network.add(name)}));
  }
  void cut(bool is, const std::vector<std::string>& machines) const {
    network.cut_off("control", is);
    for (const auto& machine : machines) network.cut_off(machine, is);
  }
  [[nodiscard]] std::string condition(const std::string& id) const { return control.condition(id); }
  [[nodiscard]] static std::string version(const NodeProcess& node) {
    const auto answer = node.add(2, 3);
    const auto* id = answer.is_object() ? answer.get_object().if_contains("moduleId") : nullptr;
    return id == nullptr ? "" : std::string(id->as_string());
  }
  [[nodiscard]] bool everywhere(const std::string& module_id) const {
    return std::ranges::all_of(nodes, [&](const auto& node) { return version(*node) == module_id; });
  }
  std::string begin(const char* strategy, const char* config) const {
    const json::object wish{{"moduleId", "add-v2.0.0"},
                            {"targetRegions", {"all"}},
                            {"strategy", strategy},
                            {"strategyConfig", json::parse(config)}};
    const auto made = ask(control.api(), "POST", "/api/v1/wasm/deployments", json::serialize(wish));
    const std::string id(made.at("deploymentId").as_string());
    verb(id, "execute");
    return id;
  }
  json::value verb(const std::string& id, const std::string& name) const {
    return ask(control.api(), "POST", "/api/v1/wasm/deployments/" + id + "/" + name);
  }
  [[nodiscard]] json::value shown(const std::string& id) const {
    return ask(control.api(), "GET", "/api/v1/wasm/deployments/" + id);
  }
  [[nodiscard]] bool in_status(const std::string& id, const std::string& status) const {
    return shown(id).at("status") == json::string(status);
  }

  Network network;
  Folder folder;
  ControlProcess control;
  const std::string token;
  std::vector<std::unique_ptr<NodeProcess>> nodes;
};

class Partition : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = Network::why_not(); !reason.empty()) GTEST_SKIP() << reason;
    machines_.emplace();
  }
  std::optional<Machines> machines_;
};

TEST_F(Partition, NodesServeOnAreCalledUnhealthyAndFollowWhenItIsHealed) {
  Machines& m = *machines_;
  Load load(m.nodes, kSteady);
  m.cut(true, {"east-a", "east-b"});
  EXPECT_TRUE(eventually([&] { return m.condition("east-a") == "Suspect"; }));
  EXPECT_TRUE(eventually([&] { return m.condition("east-a") == "Unhealthy" && m.condition("east-b") == "Unhealthy"; }));
  EXPECT_EQ(m.condition("west-a"), "Healthy");
  EXPECT_TRUE(m.everywhere("add-v1.0.0"));
  // A rollout to a region that nobody sees is refused, and may be executed again.
  const std::string id = m.begin("AllAtOnce", "{}");
  EXPECT_TRUE(m.in_status(id, "Pending"));
  EXPECT_THAT(json::serialize(m.verb(id, "execute")), HasSubstr("no live node in region us-east"));

  m.cut(false, {"east-a", "east-b"});
  EXPECT_TRUE(eventually([&] { return m.condition("east-a") == "Healthy" && m.condition("east-b") == "Healthy"; }));
  m.verb(id, "execute");
  EXPECT_TRUE(eventually([&] { return m.in_status(id, "Completed"); }));
  EXPECT_TRUE(eventually([&] { return m.everywhere("add-v2.0.0"); }));
  const auto tally = load.stop();
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
}

TEST_F(Partition, ACanaryGoesOnWithoutTheNodeThatIsCutOffWhichFollowsLater) {
  Machines& m = *machines_;
  Load load(m.nodes, kSteady);
  const std::string id = m.begin("Canary", R"({"stages": [50, 100], "progression": "manual"})");
  EXPECT_TRUE(eventually([&] { return m.shown(id).at("step") == 2; }));
  m.cut(true, {"east-a"});
  EXPECT_TRUE(eventually([&] { return m.condition("east-a") == "Unhealthy"; }));
  m.verb(id, "promote");
  EXPECT_TRUE(eventually([&] { return m.in_status(id, "Completed"); }));
  EXPECT_EQ(Machines::version(*m.nodes[1]), "add-v2.0.0");
  // By what it was told last, half of them go to either.
  EXPECT_TRUE(eventually([&] { return Machines::version(*m.nodes[0]) == "add-v1.0.0"; }));
  EXPECT_TRUE(eventually([&] { return Machines::version(*m.nodes[0]) == "add-v2.0.0"; }));

  m.cut(false, {"east-a"});
  EXPECT_TRUE(eventually([&] {
    const auto node = m.control.node("east-a");
    return node.at("condition") == "Healthy" && node.at("routedRevision") == node.at("desiredRevision");
  }));
  EXPECT_TRUE(m.everywhere("add-v2.0.0"));
  const auto tally = load.stop();
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
}

TEST_F(Partition, ARollingThatMayLoseNoNodePausesAndGoesOnWhenItIsHealed) {
  Machines& m = *machines_;
  Load load(m.nodes, kSteady);
  const std::string id = m.begin("Rolling", R"({"batchSize": 1, "batchDurationSeconds": 8})");
  EXPECT_TRUE(eventually([&] { return m.shown(id).at("step").as_int64() >= 3; }));
  m.cut(true, {"east-a"});
  EXPECT_TRUE(eventually([&] { return m.in_status(id, "Paused"); }));
  EXPECT_THAT(json::serialize(m.shown(id).at("pauseReason")), HasSubstr("east-a"));

  m.cut(false, {"east-a"});
  EXPECT_TRUE(eventually([&] { return m.condition("east-a") == "Healthy"; }));
  m.verb(id, "resume");
  EXPECT_TRUE(eventually([&] { return m.in_status(id, "Completed"); }));
  EXPECT_TRUE(eventually([&] { return m.everywhere("add-v2.0.0"); }));
  const auto tally = load.stop();
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
}

TEST_F(Partition, FromEveryNodeARolloutWaitsAndCompletesWhenItIsHealed) {
  Machines& m = *machines_;
  const std::vector<std::string> all{"east-a", "east-b", "west-a"};
  Load load(m.nodes, kSteady);
  m.cut(true, all);
  const std::string id = m.begin("AllAtOnce", "{}");
  EXPECT_TRUE(eventually(
      [&] { return std::ranges::all_of(all, [&](const auto& node) { return m.condition(node) == "Unhealthy"; }); }));
  EXPECT_TRUE(m.in_status(id, "InProgress"));
  EXPECT_TRUE(m.everywhere("add-v1.0.0"));

  m.cut(false, all);
  EXPECT_TRUE(eventually([&] { return m.in_status(id, "Completed"); }));
  EXPECT_TRUE(eventually([&] { return m.everywhere("add-v2.0.0"); }));
  const auto tally = load.stop();
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
}

}  // namespace
}  // namespace hotswap::e2e
