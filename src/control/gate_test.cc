// What stops a module at its registration, and a deployment before anything moves.
#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kInterfaces = "/api/v1/wasm/interfaces";

std::string shop(const std::string& body, const std::string& version = "1.0.0") {
  return "package acme:shop@" + version + ";\ninterface api {\n" + body +
         "\n}\nworld service { import wasi:random/random@0.2.12; export api; }\n";
}
const std::string kFind = "  record item { price: u32 }\n  find: func(name: string) -> item;";

class Gate : public testing::Test {
 protected:
  void push(const std::string& wit) {
    const Reply reply = platform.post(kInterfaces, json::serialize(json::object{{"witDefinition", wit}}));
    ASSERT_EQ(reply.status, 201U) << reply.body;
  }
  // Registered and in force.
  void establish(const std::string& wit) {
    push(wit);
    const auto id = wit.substr(8, wit.find(';') - 8);
    ASSERT_EQ(platform.post(kInterfaces + "/" + id + "/submit").text("/status"), "Approved");
  }
  Reply deprecate(const std::string& id) {
    return platform.post(kInterfaces + "/" + id + "/deprecate",
                         R"({"reason": "too small", "migrationGuide": "https://acme.example/2"})");
  }
  Reply upload(const std::string& version, const std::string& bytes, const std::vector<std::string>& claims = {}) {
    std::string query = "/api/v1/wasm/modules?name=shop&version=" + version;
    for (const auto& claim : claims) query += "&claims=" + claim;
    return platform.send("POST", query, bytes, "application/wasm");
  }
  std::string component(const std::string& world, const std::vector<std::string>& packages) {
    return platform.inspector().make_component(world, packages);
  }
  // Beside others that nobody has executed yet.
  Reply deploy(const std::string& version) {
    return platform.post(
        "/api/v1/wasm/deployments",
        R"({"targetRegions": ["local"], "onConflict": "queue", "moduleId": "shop-v)" + version + "\"}");
  }
  std::string deployed(const std::string& version) {
    const std::string id = deploy(version).text("/deploymentId");
    EXPECT_EQ(platform.verb(id, "execute").status, 202U);
    EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
    return id;
  }

  Platform platform;
};

// ---- at registration

TEST_F(Gate, AComponentIsWhatItClaims) {
  establish(shop(kFind));
  const auto good = component("export acme:shop/api@1.0.0;", {shop(kFind)});
  const Reply taken = upload("1.0.0", good, {"acme:shop/service@1.0.0", "acme:shop/api@1.0.0"});
  ASSERT_EQ(taken.status, 201U) << taken.body;
  EXPECT_EQ(taken.json().at("claims"), (json::array{"acme:shop/service@1.0.0", "acme:shop/api@1.0.0"}));
  EXPECT_EQ(platform.get("/api/v1/wasm/modules/shop-v1.0.0").json().at("claims"), taken.json().at("claims"));
}

TEST_F(Gate, AComponentThatLacksWhatItClaimsIsRefusedWithTheClaim) {
  establish(shop(kFind));
  establish("package acme:log@1.0.0;\ninterface log { write: func(line: string); }\n");
  const auto bytes = component("export acme:shop/api@1.0.0;", {shop(kFind)});
  const Reply refused = upload("1.0.0", bytes, {"acme:shop/api@1.0.0", "acme:log/log@1.0.0"});
  EXPECT_EQ(refused.status, 422U);
  ASSERT_THAT(refused.errors(), SizeIs(1)) << refused.body;
  EXPECT_THAT(refused.errors().front(), HasSubstr("claims[1]: export acme:log/log@1.0.0 is not as"));
  EXPECT_THAT(refused.errors().front(), testing::Not(HasSubstr("hotswap:claim")));
  EXPECT_EQ(platform.get("/api/v1/wasm/modules/shop-v1.0.0").status, 404U);
}

TEST_F(Gate, ExportsOfOtherTypesThanTheRegisteredOnesAreRefusedWithEachDifference) {
  establish(shop(kFind));
  const auto bytes = component("export acme:shop/api@1.0.0;", {shop("  find: func(name: string) -> u64;")});
  const Reply refused = upload("1.0.0", bytes);
  EXPECT_EQ(refused.status, 422U);
  ASSERT_THAT(refused.errors(), SizeIs(1)) << refused.body;
  EXPECT_THAT(refused.errors().front(), HasSubstr("acme:shop/api.find"));
}

TEST_F(Gate, WhatIsClaimedIsRegisteredAndInForce) {
  const auto bytes = component("export acme:shop/api@1.0.0;", {shop(kFind)});
  EXPECT_THAT(upload("1.0.0", bytes, {"acme:shop/api@1.0.0"}).errors(),
              ElementsAre(HasSubstr("claims[0]: there is no interface acme:shop@1.0.0")));
  push(shop(kFind));
  EXPECT_THAT(upload("1.0.0", bytes, {"acme:shop/api@1.0.0"}).errors(),
              ElementsAre("claims[0]: acme:shop@1.0.0 is Draft: it must be approved first"));
  ASSERT_EQ(platform.post(kInterfaces + "/acme:shop@1.0.0/submit").status, 200U);
  EXPECT_THAT(upload("1.0.0", bytes, {"acme:shop/other@1.0.0"}).errors(), SizeIs(1));
  EXPECT_EQ(upload("1.0.0", bytes, {"shop"}).status, 400U);
  EXPECT_EQ(upload("1.0.0", bytes, {"acme:shop/api@1.0.0"}).status, 201U);
}

TEST_F(Gate, WasiIsClaimedInAnyVersionOfItsTrack) {
  const auto bytes = component("export wasi:cli/run@0.2.12;", {});
  EXPECT_EQ(upload("1.0.0", bytes, {"wasi:cli/run@0.2.0"}).status, 201U);
  EXPECT_EQ(upload("1.0.1", bytes, {"wasi:cli/run@0.3.0"}).status, 422U);
  EXPECT_EQ(upload("1.0.1", bytes, {"wasi:http/incoming-handler@0.2.0"}).status, 422U);
}

TEST_F(Gate, ACoreModuleIsWhatItClaimsBySignature) {
  establish(
      "package acme:math@1.0.0;\ninterface ops { add: func(a: u32, b: u32) -> u32; }\nworld adding { export add: "
      "func(a: u32, b: u32) -> u32; }\n");
  EXPECT_EQ(upload("1.0.0", tiny_module("one"), {"acme:math/adding@1.0.0"}).status, 201U);
  const Reply refused = upload("1.0.1", tiny_module("two"), {"acme:math/ops@1.0.0"});
  EXPECT_EQ(refused.status, 422U);
  EXPECT_THAT(refused.errors(), ElementsAre(HasSubstr("claims[0]: export acme:math/ops@1.0.0#add")));
  auto description = FakeInspector::adder();
  description.exports.front().name = "acme:math/ops@1.0.0#add";
  platform.inspector().set(tiny_module("three"), description);
  EXPECT_EQ(upload("1.0.1", tiny_module("three"), {"acme:math/ops@1.0.0"}).status, 201U);
}

TEST_F(Gate, ImportsAreThoseOfWasiAndOfApprovedInterfaces) {
  const auto bytes = component("import acme:shop/api@1.0.0;", {shop(kFind)});
  const Reply unknown = upload("1.0.0", bytes);
  EXPECT_EQ(unknown.status, 422U);
  EXPECT_THAT(unknown.errors(), ElementsAre(HasSubstr("acme:shop/api@1.0.0")));
  push(shop(kFind));
  EXPECT_EQ(upload("1.0.0", bytes).status, 422U) << "a draft is nothing to rely on";
  ASSERT_EQ(platform.post(kInterfaces + "/acme:shop@1.0.0/submit").status, 200U);
  const Reply taken = upload("1.0.0", bytes);
  ASSERT_EQ(taken.status, 201U) << taken.body;
  // HotSwap links no modules to each other: whoever registers it is told what that needs.
  EXPECT_EQ(taken.text("/findings/0/rule"), "host-interface");
  EXPECT_EQ(taken.text("/findings/0/subject"), "acme:shop/api@1.0.0");
  const auto other = component("import acme:shop/api@1.0.0;", {shop("  find: func(name: string) -> u64;")});
  EXPECT_THAT(upload("1.0.1", other).errors(), ElementsAre(HasSubstr("acme:shop/api.find")));
}

// ---- before a deployment moves anything

NodeDescription describing(const std::string& id, std::vector<std::string> capabilities) {
  NodeDescription node;
  node.nodeId = NodeId(id);
  node.hostname = "127.0.0.1";
  node.region = Region("local");
  node.runtimeVersion = "48.0.8";
  node.capabilities = std::move(capabilities);
  return node;
}

TEST_F(Gate, EveryNodeThatLacksACapabilityIsNamedBeforeAnythingMoves) {
  establish(shop(kFind));
  TestNode one(platform, "node-1");
  TestNode two(platform, "node-2");
  TestNode three(platform, "node-3");
  ASSERT_TRUE(run(platform.app().introduce(describing("node-1", {"acme:shop/api@1.0.0"}))));
  ASSERT_TRUE(run(platform.app().introduce(describing("node-2", {"wasi:io/streams@0.2.12"}))));
  ASSERT_TRUE(run(platform.app().introduce(describing("node-3", {"wasi:io/streams@0.2.12"}))));
  ASSERT_EQ(upload("1.0.0", component("import acme:shop/api@1.0.0;", {shop(kFind)})).status, 201U);
  const Reply refused = deploy("1.0.0");
  EXPECT_EQ(refused.status, 422U);
  EXPECT_THAT(refused.text("/detail"), HasSubstr("node-2, node-3"));
  EXPECT_THAT(refused.errors(), ElementsAre("targetRegions: node node-2 of region local lacks acme:shop/api@1.0.0",
                                            "targetRegions: node node-3 of region local lacks acme:shop/api@1.0.0"));

  // A node may come between the request and its execution.
  two.disconnect();
  three.disconnect();
  ASSERT_TRUE(run(platform.app().remove(NodeId("node-2"))));
  ASSERT_TRUE(run(platform.app().remove(NodeId("node-3"))));
  const Reply created = deploy("1.0.0");
  ASSERT_EQ(created.status, 201U) << created.body;
  const std::string id = created.text("/deploymentId");
  two.connect(platform);
  ASSERT_TRUE(run(platform.app().introduce(describing("node-2", {"wasi:io/streams@0.2.12"}))));
  const Reply stopped = platform.verb(id, "execute");
  EXPECT_EQ(stopped.status, 422U) << stopped.body;
  EXPECT_THAT(stopped.errors(), ElementsAre(HasSubstr("node node-2 of region local lacks acme:shop/api@1.0.0")));
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::Pending);
  EXPECT_THAT(one.state().versions, IsEmpty());
  EXPECT_THAT(two.state().versions, IsEmpty());
}

TEST_F(Gate, WarnsOfWhatWasDeprecatedSinceTheModuleWasRegistered) {
  const TestNode node(platform, "node-1");
  establish(shop(kFind));
  ASSERT_EQ(upload("1.0.0", component("export acme:shop/api@1.0.0;", {shop(kFind)})).status, 201U);
  EXPECT_EQ(deploy("1.0.0").json().at("warnings"), json::array{});
  const std::string early = deploy("1.0.0").text("/deploymentId");
  ASSERT_EQ(deprecate("acme:shop@1.0.0").status, 200U);

  const Reply created = deploy("1.0.0");
  ASSERT_EQ(created.status, 201U);
  EXPECT_EQ(created.text("/warnings/0/rule"), "deprecated-interface");
  EXPECT_EQ(created.text("/warnings/0/subject"), "acme:shop/api@1.0.0");
  EXPECT_EQ(created.text("/warnings/0/message"),
            "acme:shop@1.0.0 is deprecated: too small; see https://acme.example/2");
  EXPECT_EQ(created.text("/warnings/0/migrationGuide"), "https://acme.example/2");
  const auto events = platform.events(created.text("/deploymentId"));
  EXPECT_EQ(events.front().detail.at("warnings").at(0).at("migrationGuide"), "https://acme.example/2");

  // Also where it was created before.
  const Reply executed = platform.verb(early, "execute");
  EXPECT_EQ(executed.text("/warnings/0/migrationGuide"), "https://acme.example/2") << executed.body;
  EXPECT_EQ(platform.wait_finished(early).status, DeploymentStatus::Completed);
  const auto history = platform.events(early);
  const auto started = std::ranges::find(history, EventType::DeploymentStarted, &Event::type);
  ASSERT_NE(started, history.end());
  EXPECT_EQ(started->detail.at("warnings").as_array().size(), 1U);
}

TEST_F(Gate, WarnsOfADeprecatedVersionThatStandsInForAnother) {
  establish(shop(kFind, "1.1.0"));
  ASSERT_EQ(upload("1.0.0", component("export acme:shop/api@1.0.4;", {shop(kFind, "1.0.4")})).status, 201U);
  ASSERT_EQ(deprecate("acme:shop@1.1.0").status, 200U);
  const TestNode node(platform, "node-1");
  EXPECT_EQ(deploy("1.0.0").text("/warnings/0/subject"), "acme:shop/api@1.0.4");
}

// ---- what an approval covers

class Approval : public Gate {
 protected:
  // Versions whose numbers say which functions they export.
  void provide(const std::string& version, const std::vector<std::string>& functions) {
    auto description = FakeInspector::adder();
    const auto model = description.exports.front();
    description.exports.clear();
    for (const auto& name : functions) {
      description.exports.push_back(model);
      description.exports.back().name = name;
    }
    const std::string bytes = tiny_module("approval " + version);
    platform.inspector().set(bytes, description);
    ASSERT_EQ(upload(version, bytes).status, 201U);
  }
  std::vector<std::string> breaks(const std::string& id) {
    std::vector<std::string> paths;
    for (const auto& broken : platform.deployment(id).breaksCallers) paths.push_back(broken.path);
    return paths;
  }
  TestNode node{platform, "node-1"};
};

TEST_F(Approval, CoversWhatTheApproverSawAndNothingThatCameSince) {
  provide("1.0.0", {"add"});
  provide("1.1.0", {"add", "sub"});
  provide("2.0.0", {"mul"});
  deployed("1.0.0");
  const std::string id = deploy("2.0.0").text("/deploymentId");
  EXPECT_THAT(breaks(id), ElementsAre(HasSubstr("add")));
  ASSERT_EQ(platform.verb(id, "approve").status, 200U);
  // By now callers of `sub` break as well.
  deployed("1.1.0");
  const Reply stopped = platform.verb(id, "execute");
  EXPECT_EQ(stopped.status, 409U);
  ASSERT_THAT(stopped.errors(), SizeIs(1)) << stopped.body;
  EXPECT_THAT(stopped.errors().front(), HasSubstr("sub: was func(i32, i32) -> i32, is gone (shop-v1.1.0 in local)"));
  const auto now = platform.deployment(id);
  EXPECT_EQ(now.status, DeploymentStatus::Pending);
  EXPECT_FALSE(now.approvedBy);
  EXPECT_THAT(now.breaksCallers, SizeIs(2));
  const auto event = platform.events(id).back();
  EXPECT_EQ(event.type, EventType::DeploymentStopped);
  EXPECT_EQ(event.detail.at("breaksCallers").as_array().size(), 2U);
  EXPECT_EQ(event.detail.at("notApproved").as_array().size(), 1U);
  // It is stopped once, not at each try.
  EXPECT_EQ(platform.verb(id, "execute").status, 409U);
  EXPECT_EQ(platform.events(id).back().sequence, event.sequence);

  ASSERT_EQ(platform.verb(id, "approve").status, 200U);
  EXPECT_EQ(platform.deployment(id).approvedBreaks, now.breaksCallers);
  EXPECT_EQ(platform.verb(id, "execute").status, 202U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

TEST_F(Approval, StaysWhereOnlyTheVersionInPlaceIsAnother) {
  provide("1.0.0", {"add"});
  provide("1.0.1", {"add"});
  provide("2.0.0", {"mul"});
  deployed("1.0.0");
  const std::string id = deploy("2.0.0").text("/deploymentId");
  ASSERT_EQ(platform.verb(id, "approve").status, 200U);
  deployed("1.0.1");
  EXPECT_EQ(platform.verb(id, "execute").status, 202U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

TEST_F(Approval, IsRefusedForAListThatIsNotTheOneAnyMore) {
  provide("1.0.0", {"add"});
  provide("2.0.0", {"mul"});
  deployed("1.0.0");
  const std::string id = deploy("2.0.0").text("/deploymentId");
  const std::string path = "/api/v1/wasm/deployments/" + id + "/approve";
  EXPECT_EQ(platform.post(path, R"({"breaksCallers": []})").status, 409U);
  EXPECT_FALSE(platform.deployment(id).approvedBy);
  const auto seen = to_json(platform.deployment(id).breaksCallers);
  EXPECT_EQ(platform.post(path, json::serialize(json::object{{"breaksCallers", seen}})).status, 200U);
}

TEST_F(Approval, IsAskedForAgainWhenAQueuedDeploymentComesToItsTurn) {
  provide("1.0.0", {"add"});
  provide("1.1.0", {"add", "sub"});
  provide("1.2.0", {"add"});
  deployed("1.0.0");
  // The first one stands in the middle until the second one waits behind it.
  node.report_as({.makes_ready = false});
  const std::string first = deploy("1.1.0").text("/deploymentId");
  ASSERT_EQ(platform.verb(first, "execute").status, 202U);
  const std::string id = deploy("1.2.0").text("/deploymentId");
  ASSERT_EQ(platform.verb(id, "execute").status, 202U);
  ASSERT_TRUE(platform.deployment(id).queuedAt);
  node.report_as({});
  EXPECT_EQ(platform.wait_finished(first).status, DeploymentStatus::Completed);
  const auto stopped = platform.wait(id, [](const Deployment& now) { return !now.queuedAt; });
  EXPECT_EQ(stopped.status, DeploymentStatus::Pending);
  EXPECT_THAT(breaks(id), ElementsAre(HasSubstr("sub")));
  ASSERT_EQ(platform.verb(id, "approve").status, 200U);
  EXPECT_EQ(platform.verb(id, "execute").status, 202U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

}  // namespace
}  // namespace hotswap::control
