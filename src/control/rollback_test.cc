#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

void bring(Platform& platform, const std::string& id) {
  platform.verb(id, "execute");
  ASSERT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

TEST(RollingBack, ReturnsToExactlyTheRoutesBeforeAndIsThereWhenItReplies) {
  Platform platform;
  TestNode node(platform, "node-1");
  bring(platform, platform.create("other", "1.0.0"));
  bring(platform, platform.create("greeter", "1.0.0", {{"http", {{"pathPrefix", "/hello/"}}}}));
  const auto before = platform.routes();
  const std::string id = platform.create("greeter", "2.0.0", {{"http", {{"pathPrefix", "/hi/"}}}});
  bring(platform, id);
  EXPECT_NE(platform.routes(), before);
  // The old version is gone from the node by now: it is made ready again before anything is routed to it.
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.versions.size() == 2; }));

  const Reply reply = platform.verb(id, "rollback");
  EXPECT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.text("/status"), "RolledBack");
  EXPECT_TRUE(node.serves("greeter-v1.0.0"));
  EXPECT_FALSE(node.serves("greeter-v2.0.0"));
  EXPECT_EQ(platform.routes(), before);
  EXPECT_EQ(node.unready_routes(), 0);
  const auto events = platform.events(id);
  EXPECT_EQ(events.back().type, EventType::DeploymentRolledBack);
  EXPECT_EQ(events.back().by, "admin");
  EXPECT_EQ(events[events.size() - 2].type, EventType::RoutesChanged);

  EXPECT_EQ(platform.verb(id, "rollback").status, 200U);  // again changes nothing
  EXPECT_EQ(platform.events(id).size(), events.size());
}

TEST(RollingBack, DropsARouteThatDidNotExistBefore) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string id = platform.create("greeter", "1.0.0");
  bring(platform, id);
  EXPECT_EQ(platform.verb(id, "rollback").status, 200U);
  EXPECT_THAT(platform.routes(), IsEmpty());
  EXPECT_TRUE(node.wait([](const DesiredState& state) { return state.versions.empty() && state.routes.empty(); }));
  EXPECT_EQ(platform.send("DELETE", "/api/v1/wasm/modules/greeter-v1.0.0").status, 204U);
}

TEST(RollingBack, StopsADeploymentInProgressAtAnyStep) {
  Options options;
  options.rollback_settle = 10ms;  // the node will not report the routes
  for (const bool prepared : {false, true}) {
    Platform platform(options);
    TestNode node(platform, "node-1");
    bring(platform, platform.create("greeter", "1.0.0"));
    const auto before = platform.routes();
    node.behave({.makes_ready = prepared, .routes = false, .fails = ""});
    const std::string id = platform.create("greeter", "2.0.0");
    platform.verb(id, "execute");
    ASSERT_EQ(platform.wait_step(id, prepared ? 1 : 0).step, prepared ? 1 : 0);
    const Reply reply = platform.verb(id, "rollback");
    EXPECT_EQ(reply.text("/status"), "RolledBack") << reply.body;
    EXPECT_EQ(platform.routes(), before);
    EXPECT_EQ(node.unready_routes(), 0);
  }
}

TEST(RollingBack, IsRefusedWhereTheVersionBeforeIsNoLongerKept) {
  Options options;
  options.versions_kept = 1;
  Platform platform(options);
  TestNode node(platform, "node-1");
  bring(platform, platform.create("greeter", "1.0.0"));
  const std::string id = platform.create("greeter", "2.0.0");
  bring(platform, id);
  platform.upload("greeter", "3.0.0");  // retention removes 1.0.0, which nothing routes to any more
  const auto before = platform.routes();
  const Reply reply = platform.verb(id, "rollback");
  EXPECT_EQ(reply.status, 409U);
  EXPECT_THAT(reply.body, HasSubstr("cannot return to greeter-v1.0.0: this version is no longer kept"));
  EXPECT_EQ(platform.routes(), before);
}

TEST(RollingBack, ChangesNothingWhereANodeCannotMakeTheOldVersionReady) {
  Platform platform;
  TestNode node(platform, "node-1");
  bring(platform, platform.create("greeter", "1.0.0"));
  const std::string id = platform.create("greeter", "2.0.0");
  bring(platform, id);
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
  const auto before = platform.routes();
  node.behave({.makes_ready = false, .routes = true, .fails = "disk full"});
  const Reply reply = platform.verb(id, "rollback");
  EXPECT_EQ(reply.status, 503U) << reply.body;
  EXPECT_THAT(reply.body, HasSubstr("disk full; the routes are unchanged"));
  EXPECT_EQ(platform.routes(), before);
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::Completed);
  node.behave({});
  EXPECT_EQ(platform.verb(id, "rollback").status, 200U);
}

TEST(RollingBack, WaitsForNoNodeForEver) {
  Options options;
  options.rollback_prepare = 20ms;
  Platform platform(options);
  TestNode node(platform, "node-1");
  bring(platform, platform.create("greeter", "1.0.0"));
  const std::string id = platform.create("greeter", "2.0.0");
  bring(platform, id);
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
  node.behave({.makes_ready = false, .routes = true, .fails = ""});
  const Reply reply = platform.verb(id, "rollback");
  EXPECT_EQ(reply.status, 503U);
  EXPECT_THAT(reply.body, HasSubstr("within 20 ms"));
}

TEST(RollingBack, IsRefusedWhileANewerDeploymentIsUnfinished) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string first = platform.create("greeter", "1.0.0");
  bring(platform, first);
  const std::string second = platform.create("greeter", "2.0.0");
  const Reply reply = platform.verb(first, "rollback");
  EXPECT_EQ(reply.status, 409U);
  EXPECT_THAT(reply.body, HasSubstr(second));
}

TEST(RollingBack, ReachesBackPastLaterDeployments) {
  Platform platform;
  TestNode node(platform, "node-1");
  bring(platform, platform.create("greeter", "1.0.0"));
  const auto before = platform.routes();
  const std::string second = platform.create("greeter", "2.0.0");
  bring(platform, second);
  bring(platform, platform.create("greeter", "3.0.0"));
  EXPECT_EQ(platform.verb(second, "rollback").status, 200U);
  EXPECT_EQ(platform.routes(), before);
}

// ---- some regions only

class TwoRegions : public testing::Test {
 protected:
  TwoRegions() : platform_(options()), us_(platform_, "us-1", "us"), eu_(platform_, "eu-1", "eu") {
    bring(platform_, create("1.0.0"));
  }
  static Options options() {
    Options options;
    options.regions = {{.region = Region("us")}, {.region = Region("eu")}};
    return options;
  }
  std::string create(const std::string& version, json::object more = {}) {
    more["targetRegions"] = json::array{"us", "eu"};
    return platform_.create("greeter", version, std::move(more));
  }
  Reply back(const std::string& id, const std::string& body) {
    return platform_.post("/api/v1/wasm/deployments/" + id + "/rollback", body);
  }
  // "us=greeter-v1.0.0" for each region.
  std::vector<std::string> routed() {
    std::vector<std::string> all;
    for (const auto& route : platform_.routes()) {
      all.push_back(route.region.str() + "=" + route.versions.front().moduleId.str());
    }
    return all;
  }

  Platform platform_;
  TestNode us_;
  TestNode eu_;
};

TEST_F(TwoRegions, OneReturnsAndTheOtherKeepsTheNewVersion) {
  const std::string id = create("2.0.0");
  bring(platform_, id);
  ASSERT_TRUE(us_.wait([](const DesiredState& state) { return state.versions.size() == 1; }));
  const Reply reply = back(id, R"({"regions":["us"]})");
  EXPECT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.text("/status"), "Completed");
  EXPECT_EQ(reply.text("/rolledBackRegions"), R"(["us"])");
  EXPECT_TRUE(us_.serves("greeter-v1.0.0"));
  EXPECT_TRUE(eu_.serves("greeter-v2.0.0"));
  EXPECT_THAT(routed(), testing::UnorderedElementsAre("us=greeter-v1.0.0", "eu=greeter-v2.0.0"));
  EXPECT_EQ(us_.unready_routes(), 0);
  const auto events = platform_.events(id);
  EXPECT_EQ(events.back().type, EventType::DeploymentRolledBack);
  EXPECT_EQ(json::serialize(events.back().detail.at("regions")), R"(["us"])");
  EXPECT_EQ(events[events.size() - 2].type, EventType::RoutesChanged);

  EXPECT_EQ(back(id, R"({"regions":["us"]})").status, 200U);  // again changes nothing
  EXPECT_EQ(platform_.events(id).size(), events.size());
}

TEST_F(TwoRegions, TheLastOfThemEndsAsARollback) {
  const std::string id = create("2.0.0");
  bring(platform_, id);
  EXPECT_EQ(back(id, R"({"regions":["us"]})").status, 200U);
  EXPECT_EQ(back(id, R"({"regions":["eu","us"]})").text("/status"), "RolledBack");
  EXPECT_THAT(routed(), testing::UnorderedElementsAre("us=greeter-v1.0.0", "eu=greeter-v1.0.0"));
  const auto count = platform_.events(id).size();
  for (const char* body : {R"({"regions":["us"]})", ""}) EXPECT_EQ(back(id, body).status, 200U);
  EXPECT_EQ(platform_.events(id).size(), count);
}

TEST_F(TwoRegions, ARollbackOfTheRestLeavesWhatWasDeployedToTheFirstSince) {
  const std::string id = create("2.0.0");
  bring(platform_, id);
  EXPECT_EQ(back(id, R"({"regions":["us"]})").status, 200U);
  bring(platform_, platform_.create("greeter", "3.0.0", {{"targetRegions", {"us"}}}));
  EXPECT_EQ(back(id, "").text("/status"), "RolledBack");
  EXPECT_THAT(routed(), testing::UnorderedElementsAre("us=greeter-v3.0.0", "eu=greeter-v1.0.0"));
}

TEST_F(TwoRegions, ARolloutUnderWayEndsWhereItStandsInTheOthers) {
  const std::string id =
      create("2.0.0", {{"strategy", "Regional"}, {"strategyConfig", json::parse(R"({"progression": "manual"})")}});
  EXPECT_EQ(platform_.verb(id, "execute").status, 202U);
  platform_.wait_step(id, 2);  // us is done, eu has not begun
  EXPECT_EQ(platform_.verb(id, "promote").status, 200U);
  EXPECT_EQ(platform_.wait_finished(id).status, DeploymentStatus::Completed);

  const std::string next =
      create("3.0.0", {{"strategy", "Regional"}, {"strategyConfig", json::parse(R"({"progression": "manual"})")}});
  EXPECT_EQ(platform_.verb(next, "execute").status, 202U);
  platform_.wait_step(next, 2);
  // Nothing has changed in eu: with us everything has returned.
  EXPECT_EQ(back(next, R"({"regions":["us"]})").text("/status"), "RolledBack");
  EXPECT_THAT(routed(), testing::UnorderedElementsAre("us=greeter-v2.0.0", "eu=greeter-v2.0.0"));

  const std::string last = create(
      "4.0.0",
      {{"strategy", "Canary"}, {"strategyConfig", json::parse(R"({"stages":[50,100],"progression":"manual"})")}});
  EXPECT_EQ(platform_.verb(last, "execute").status, 202U);
  platform_.wait_step(last, 2);
  const Reply reply = back(last, R"({"regions":["eu"]})");
  EXPECT_EQ(reply.text("/status"), "Failed");
  EXPECT_THAT(reply.text("/errorMessage"), HasSubstr("rolled back in some regions by admin"));
  EXPECT_THAT(routed(), testing::UnorderedElementsAre("us=greeter-v4.0.0", "eu=greeter-v2.0.0"));
}

TEST_F(TwoRegions, WhatCannotBeMeantIsRefused) {
  const std::string id = create("2.0.0");
  EXPECT_EQ(back(id, R"({"regions":["us"]})").status, 409U);
  bring(platform_, id);
  EXPECT_THAT(back(id, R"({"regions":[]})").errors(), testing::ElementsAre(HasSubstr("regions: must name")));
  EXPECT_THAT(back(id, R"({"regions":["us","mars"]})").errors(), testing::ElementsAre(HasSubstr("regions[1]: mars")));
  EXPECT_THAT(back(id, R"({"regions":["us"],"toModuleId":"greeter-v1.0.0"})").errors(),
              testing::ElementsAre(HasSubstr("together with toModuleId")));
  const std::string other = platform_.create("greeter", "3.0.0", {{"targetRegions", {"eu"}}});
  EXPECT_EQ(back(id, R"({"regions":["eu"]})").status, 409U);
  EXPECT_EQ(back(id, R"({"regions":["us"]})").status, 200U);
}

}  // namespace
}  // namespace hotswap::control
