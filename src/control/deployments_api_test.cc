#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<EventType> types(const std::vector<Event>& events) {
  std::vector<EventType> all;
  for (const auto& event : events) all.push_back(event.type);
  return all;
}

TEST(Deploying, BringsAnUploadIntoServiceWithOneEventForEachTransition) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string id = platform.create("greeter", "1.0.0");
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::Pending);

  const Reply executed = platform.verb(id, "execute");
  EXPECT_EQ(executed.status, 202U) << executed.body;
  const Deployment done = platform.wait_finished(id);
  EXPECT_EQ(done.status, DeploymentStatus::Completed) << done.errorMessage.value_or("");
  EXPECT_EQ(done.progressPercent, 100);
  EXPECT_THAT(done.succeededNodes, ElementsAre(NodeId("node-1")));
  EXPECT_TRUE(done.startedAt && done.completedAt);
  EXPECT_THAT(types(platform.events(id)),
              ElementsAre(EventType::DeploymentCreated, EventType::DeploymentStarted, EventType::StepStarted,
                          EventType::StepCompleted, EventType::StepStarted, EventType::RoutesChanged,
                          EventType::StepCompleted, EventType::DeploymentCompleted));
  ASSERT_EQ(platform.routes().size(), 1U);
  EXPECT_THAT(platform.routes()[0].versions, ElementsAre(WeightedVersion{ModuleId("greeter-v1.0.0"), 100}));
  EXPECT_EQ(platform.routes()[0].http.pathPrefix, "/m/greeter/");
  EXPECT_TRUE(node.serves("greeter-v1.0.0"));
  EXPECT_EQ(node.unready_routes(), 0);
}

std::string request(json::object fields) {
  if (!fields.contains("moduleId")) fields["moduleId"] = "greeter-v1.0.0";
  return json::serialize(fields);
}

constexpr std::string_view kDeployments = "/api/v1/wasm/deployments";

TEST(Deploying, SwapsVersionsAndNeverRoutesToOneThatIsNotReady) {
  Platform platform;
  TestNode first(platform, "node-1");
  TestNode second(platform, "node-2");
  for (const char* version : {"1.0.0", "1.1.0", "2.0.0"}) {
    const std::string id = platform.create("greeter", version);
    EXPECT_EQ(platform.verb(id, "execute").status, 202U);
    const Deployment done = platform.wait_finished(id);
    EXPECT_EQ(done.status, DeploymentStatus::Completed);
    EXPECT_EQ(done.succeededNodes.size(), 2U);
    EXPECT_TRUE(first.serves(std::string("greeter-v") + version));
    EXPECT_TRUE(second.serves(std::string("greeter-v") + version));
  }
  EXPECT_EQ(platform.deployment(platform.get(std::string(kDeployments)).text("/items/0/deploymentId")).previousModuleId,
            ModuleId("greeter-v1.1.0"));
  // What is no longer routed is let go of.
  EXPECT_TRUE(first.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
  EXPECT_EQ(first.unready_routes() + second.unready_routes(), 0);
  EXPECT_EQ(platform.metrics().counter("wasm.deployments.executed.total", "").value(), 3U);
}

TEST(Deploying, GivesTheHealthCheckToNodesWhileAVersionIsPreparedOnly) {
  Platform platform;
  TestNode node(platform, "node-1", "local", {.makes_ready = false, .routes = true, .fails = ""});
  const std::string id = platform.create("greeter", "1.0.0", {{"healthCheck", {{"functionName", "alive"}}}});
  platform.verb(id, "execute");
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
  ASSERT_TRUE(node.state().versions[0].healthCheck);
  EXPECT_EQ(node.state().versions[0].healthCheck->functionName, "alive");
  EXPECT_TRUE(node.state().routes.empty());
  node.behave({});
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  EXPECT_TRUE(node.wait([](const DesiredState& state) {
    return !state.routes.empty() && state.versions.size() == 1 && !state.versions[0].healthCheck;
  }));
}

TEST(Creating, RefusesWhatCannotBeDeployed) {
  Platform platform;
  platform.upload("greeter", "1.0.0");
  struct Case {
    json::object fields;
    unsigned status;
    std::string says;
  };
  const json::array local{"local"};
  const std::vector<Case> cases{
      {{{"targetRegions", json::array{"mars", "local", "venus"}}},
       400,
       "there is no region mars; the regions are local"},
      {{{"targetRegions", json::array{"mars", "local", "venus"}}}, 400, "targetRegions[2]"},
      {{}, 400, "either targetRegions"},
      {{{"targetRegions", local}, {"colour", "red"}}, 400, "unknown field"},
      {{{"targetRegions", local}, {"moduleId", "no-v1.0.0"}}, 404, "register it first"},
      {{{"targetRegions", local}, {"strategy", "Canary"}, {"strategyConfig", {{"stages", json::array{10}}}}},
       400,
       "strategyConfig.stages[0].weight"},
      {{{"targetRegions", local}, {"strategy", "Sudden"}}, 400, "expected one of AllAtOnce"},
      {{{"targetRegions", local}, {"strategyConfig", {{"stages", 1}}}}, 400, "strategyConfig.stages"},
      {{{"targetNodes", json::array{"node-9"}}}, 400, "no node node-9 is connected"},
      {{{"targetRegions", local}, {"http", {{"pathPrefix", "no-slash"}}}}, 400, "http.pathPrefix"},
      {{{"targetRegions", local}, {"healthCheck", {{"timeoutSeconds", 0}}}}, 400, "healthCheck.timeoutSeconds"},
      {{{"targetRegions", local}, {"healthCheck", {{"httpPath", "/up"}}}}, 400, "healthCheck.httpPath"},
  };
  for (const auto& c : cases) {
    const Reply reply = platform.post(std::string(kDeployments), request(c.fields));
    EXPECT_EQ(reply.status, c.status) << json::serialize(c.fields) << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(c.says));
  }
  EXPECT_EQ(platform.post(std::string(kDeployments), "{").status, 400U);
  EXPECT_EQ(platform.post(std::string(kDeployments) + "?execute=true", request({{"targetRegions", local}})).status,
            400U);

  platform.send("PATCH", "/api/v1/wasm/modules/greeter-v1.0.0", R"({"status":"Disabled"})");
  const Reply disabled = platform.post(std::string(kDeployments), request({{"targetRegions", local}}));
  EXPECT_EQ(disabled.status, 409U);
  EXPECT_THAT(disabled.body, HasSubstr("is Disabled"));
  EXPECT_TRUE(platform.get(std::string(kDeployments)).json().at("items").as_array().empty());
}

TEST(Creating, AllMeansEveryRegionAndNamedNodesMeanTheirs) {
  Options options;
  options.regions = {{Region("east"), Environment::development}, {Region("west"), Environment::staging}};
  Platform platform(options);
  TestNode east(platform, "e1", "east");
  TestNode east2(platform, "e2", "east");
  TestNode west(platform, "w1", "west");
  for (auto* node : {&east, &east2, &west}) {
    ASSERT_TRUE(node->wait([](const DesiredState& state) { return state.revision > 0; }));
  }
  const std::string all = platform.create("one", "1.0.0", {{"targetRegions", json::array{"all"}}});
  EXPECT_THAT(platform.deployment(all).targetRegions, ElementsAre(Region("east"), Region("west")));
  platform.verb(all, "execute");
  EXPECT_EQ(platform.wait_finished(all).succeededNodes.size(), 3U);

  const std::string nodes =
      platform.create("two", "1.0.0", {{"targetRegions", json::array{"all"}}, {"targetNodes", json::array{"w1"}}});
  EXPECT_THAT(platform.deployment(nodes).targetRegions, ElementsAre(Region("west")));
  platform.verb(nodes, "execute");
  EXPECT_THAT(platform.wait_finished(nodes).succeededNodes, ElementsAre(NodeId("w1")));
  EXPECT_TRUE(west.serves("two-v1.0.0"));
  EXPECT_FALSE(east.serves("two-v1.0.0"));

  const Reply part = platform.post(std::string(kDeployments),
                                   request({{"moduleId", "two-v1.0.0"}, {"targetNodes", json::array{"e1"}}}));
  EXPECT_EQ(part.status, 422U);
  EXPECT_THAT(part.body, HasSubstr("name also e2"));
}

TEST(Creating, RefusesASecondUnfinishedDeploymentOfTheNameInARegion) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string first = platform.create("greeter", "1.0.0");
  platform.upload("greeter", "2.0.0");
  const std::string body = request({{"moduleId", "greeter-v2.0.0"}, {"targetRegions", json::array{"local"}}});
  const Reply second = platform.post(std::string(kDeployments), body);
  EXPECT_EQ(second.status, 409U);
  EXPECT_THAT(second.body, HasSubstr(first));
  EXPECT_EQ(platform.verb(first, "rollback").text("/status"), "RolledBack");
  EXPECT_EQ(platform.post(std::string(kDeployments), body).status, 201U);
  EXPECT_EQ(platform.verb(first, "execute").status, 409U);
}

TEST(Creating, LetsOneHandlerAnswerAtEachPlaceOfTheGateway) {
  Platform platform;
  TestNode node(platform, "node-1");
  auto handler = FakeInspector::adder();
  handler.kind = "component";
  handler.wasi = "0.2";
  handler.http = "0.2";
  platform.inspector().set(handler);
  const json::object shop{{"pathPrefix", "/shop/"}, {"host", "A.example"}};
  const std::string id = platform.create("one", "1.0.0", {{"http", shop}});
  platform.verb(id, "execute");
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  platform.upload("two", "1.0.0");
  json::object taken{{"moduleId", "two-v1.0.0"},
                     {"targetRegions", json::array{"local"}},
                     {"http", {{"pathPrefix", "/shop/"}, {"host", "a.example"}}}};
  const Reply refused = platform.post(std::string(kDeployments), request(taken));
  EXPECT_EQ(refused.status, 409U);
  EXPECT_THAT(refused.body, HasSubstr("is taken by module one"));
  taken["http"] = {{"pathPrefix", "/shop/"}, {"host", "b.example"}};
  EXPECT_EQ(platform.post(std::string(kDeployments), request(taken)).status, 201U);
  // The next version answers where the one before did.
  const std::string next = platform.create("one", "1.1.0");
  EXPECT_EQ(platform.deployment(next).http.pathPrefix, "/shop/");
}

TEST(Executing, NeedsALiveNodeInEveryRegion) {
  Platform platform;
  const std::string id = platform.create("greeter", "1.0.0");
  const Reply none = platform.verb(id, "execute");
  EXPECT_EQ(none.status, 503U);
  EXPECT_THAT(none.body, HasSubstr("no live node in region local"));
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::Pending);
  TestNode node(platform, "node-1");
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.revision > 0; }));
  EXPECT_EQ(platform.verb(id, "execute").status, 202U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

TEST(Executing, TwiceIsTheSameAsOnceAlsoAtTheSameTime) {
  Platform platform;
  TestNode node(platform, "node-1", "local", {.makes_ready = false, .routes = true, .fails = ""});
  const std::string id = platform.create("greeter", "1.0.0");
  std::atomic<int> started{0};
  std::atomic<int> running{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] {
        const Reply reply = platform.verb(id, "execute");
        started += reply.status == 202;
        running += reply.status == 200;
        EXPECT_EQ(reply.text("/status"), "InProgress");
      });
    }
  }
  EXPECT_EQ(started, 1);
  EXPECT_EQ(running, 3);
  node.behave({});
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  EXPECT_EQ(platform.verb(id, "execute").status, 200U);
  EXPECT_EQ(platform.verb("00000000-0000-0000-0000-000000000000", "execute").status, 404U);
  EXPECT_EQ(platform.post(std::string(kDeployments) + "/" + id + "/execute", R"({"force":true})").status, 400U);
}

TEST(Listing, DeploymentsFilteredAndPaged) {
  Platform platform;
  const std::string one = platform.create("one", "1.0.0");
  const std::string two = platform.create("two", "1.0.0");
  platform.verb(one, "rollback");
  const std::string list{kDeployments};
  EXPECT_EQ(platform.get(list).json().at("items").as_array().size(), 2U);
  EXPECT_EQ(platform.get(list + "?status=Pending").text("/items/0/deploymentId"), two);
  EXPECT_EQ(platform.get(list + "?module=one").text("/items/0/deploymentId"), one);
  EXPECT_EQ(platform.get(list + "?moduleId=two-v1.0.0").text("/items/0/deploymentId"), two);
  const Reply page = platform.get(list + "?limit=1");
  EXPECT_EQ(platform.get(list + "?limit=1&cursor=" + page.text("/nextCursor")).json().at("items").as_array().size(),
            1U);
  EXPECT_EQ(platform.get(list + "?status=Odd").status, 400U);
  EXPECT_EQ(platform.get(list + "/none").status, 404U);
}

TEST(Failing, RollsBackByItselfOrStaysFailedAsAsked) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string good = platform.create("greeter", "1.0.0");
  platform.verb(good, "execute");
  ASSERT_EQ(platform.wait_finished(good).status, DeploymentStatus::Completed);
  const auto before = platform.routes();
  node.behave({.makes_ready = false, .routes = true, .fails = "no memory left"});
  for (const bool automatic : {true, false}) {
    const std::string bad =
        platform.create("greeter", automatic ? "2.0.0" : "3.0.0", {{"autoRollbackEnabled", automatic}});
    platform.verb(bad, "execute");
    const Deployment failed = platform.wait_finished(bad);
    EXPECT_EQ(failed.status, automatic ? DeploymentStatus::RolledBack : DeploymentStatus::Failed);
    EXPECT_THAT(failed.errorMessage.value_or(""), HasSubstr("no memory left"));
    EXPECT_THAT(failed.failedNodes, ElementsAre(NodeId("node-1")));
    EXPECT_THAT(types(platform.events(bad)), Contains(EventType::DeploymentFailed));
    EXPECT_EQ(platform.routes(), before);
  }
  EXPECT_TRUE(node.serves("greeter-v1.0.0"));
  EXPECT_EQ(platform.metrics().counter("wasm.deployments.failed.total", "").value(), 2U);
}

TEST(Failing, ComesWithTheDeadlineWhereANodeNeverReportsTheVersionReady) {
  Platform platform;
  TestNode node(platform, "node-1", "local", {.makes_ready = false, .routes = true, .fails = ""});
  const std::string id = platform.create("greeter", "1.0.0");
  platform.verb(id, "execute");
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
  platform.clock().advance(limits::kPrepareDeadline + 1s);
  node.behave({.makes_ready = false, .routes = true, .fails = ""});
  const Deployment failed = platform.wait_finished(id);
  EXPECT_EQ(failed.status, DeploymentStatus::RolledBack);
  EXPECT_EQ(failed.errorMessage, "node node-1 did not report the version ready within 60 s");
}

TEST(Failing, AtTheRoutesReturnsToThoseBefore) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string good = platform.create("greeter", "1.0.0");
  platform.verb(good, "execute");
  ASSERT_EQ(platform.wait_finished(good).status, DeploymentStatus::Completed);
  const auto before = platform.routes();
  node.behave({.makes_ready = true, .routes = false, .fails = ""});
  const std::string bad = platform.create("greeter", "2.0.0");
  platform.verb(bad, "execute");
  ASSERT_EQ(platform.wait_step(bad, 1).step, 1);
  EXPECT_NE(platform.routes(), before);
  platform.clock().advance(limits::kPrepareDeadline + 1s);
  node.behave({.makes_ready = true, .routes = false, .fails = ""});
  EXPECT_EQ(platform.wait_finished(bad).status, DeploymentStatus::RolledBack);
  EXPECT_EQ(platform.routes(), before);
  EXPECT_TRUE(node.wait([](const DesiredState& state) {
    return state.routes.size() == 1 && state.routes[0].versions[0].moduleId.str() == "greeter-v1.0.0";
  }));
  EXPECT_EQ(node.unready_routes(), 0);
}

}  // namespace
}  // namespace hotswap::control
