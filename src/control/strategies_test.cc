// Strategies and verbs over a real server, with nodes that speak the protocol.
#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

json::object with(std::string_view strategy, std::string_view config) {
  return {{"strategy", strategy}, {"strategyConfig", json::parse(config)}};
}

constexpr std::string_view kByHand = R"({"stages": [20, 60, 100], "progression": "manual"})";

// Brings 1.0.0 into service and begins to bring 2.0.0.
class Rollouts : public testing::Test {
 protected:
  explicit Rollouts(Options options = {}) : platform(std::move(options)), node(platform, "node-1") {
    const std::string first = platform.create("greeter", "1.0.0");
    platform.verb(first, "execute");
    EXPECT_EQ(platform.wait_finished(first).status, DeploymentStatus::Completed);
    before = platform.routes();
  }
  std::string begin(json::object how) {
    const std::string id = platform.create("greeter", "2.0.0", std::move(how));
    EXPECT_EQ(platform.verb(id, "execute").status, 202U);
    return id;
  }
  Deployment wait_status(const std::string& id, DeploymentStatus status) {
    return platform.wait(id, [status](const Deployment& now) { return now.status == status; });
  }
  int weight(const std::string& version) {
    const auto routes = platform.routes();
    for (const auto& weighted : routes.at(0).versions) {
      if (weighted.moduleId.str() == version) return weighted.weight;
    }
    return 0;
  }
  std::vector<EventType> types(const std::string& id) {
    std::vector<EventType> all;
    for (const auto& event : platform.events(id)) all.push_back(event.type);
    return all;
  }

  Platform platform;
  TestNode node;
  std::vector<Route> before;
};

TEST_F(Rollouts, ACanaryWaitsAtEachStageUntilItIsPromotedAndOnePromotionEndsOneHold) {
  const std::string id = begin(with("Canary", kByHand));
  platform.wait_step(id, 2);
  EXPECT_EQ(weight("greeter-v2.0.0"), 20);
  const std::string path = "/api/v1/wasm/deployments/" + id + "/promote";
  EXPECT_EQ(platform.post(path, R"({"step":2})").status, 200U);
  platform.wait_step(id, 4);
  EXPECT_EQ(weight("greeter-v2.0.0"), 60);
  EXPECT_EQ(platform.post(path, R"({"step":2})").status, 200U);  // again
  EXPECT_EQ(platform.deployment(id).step, 4);
  EXPECT_EQ(platform.post(path, R"({"step":9})").status, 409U);
  EXPECT_EQ(platform.post(path).status, 200U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  EXPECT_EQ(weight("greeter-v2.0.0"), 100);
  EXPECT_EQ(node.unready_routes(), 0);
  EXPECT_EQ(platform.post(path).status, 200U);
}

TEST_F(Rollouts, PromotedFullyGoThroughEveryHold) {
  const std::string id = begin(with("Canary", kByHand));
  platform.wait_step(id, 2);
  EXPECT_EQ(platform.verb(id, "promote-full").status, 200U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  EXPECT_EQ(platform.verb(id, "promote-full").status, 200U);
}

TEST_F(Rollouts, PausedStandStillUntilTheyAreResumed) {
  const std::string id = begin(with("Canary", kByHand));
  platform.wait_step(id, 2);
  EXPECT_EQ(platform.verb(id, "pause").text("/status"), "Paused");
  EXPECT_EQ(platform.verb(id, "pause").status, 200U);
  EXPECT_EQ(platform.deployment(id).pauseReason, "paused by admin");
  EXPECT_EQ(platform.verb(id, "resume").text("/status"), "InProgress");
  EXPECT_EQ(platform.verb(id, "resume").status, 200U);
  EXPECT_THAT(types(id), Contains(EventType::DeploymentPaused).Times(1));
  EXPECT_THAT(types(id), Contains(EventType::DeploymentResumed).Times(1));
  EXPECT_EQ(platform.verb(id, "cancel").status, 409U);
}

TEST_F(Rollouts, AbortedReturnToTheRoutesBefore) {
  const std::string id = begin(with("Canary", kByHand));
  platform.wait_step(id, 2);
  EXPECT_EQ(platform.verb(id, "abort").text("/status"), "RolledBack");
  EXPECT_EQ(platform.routes(), before);
  EXPECT_EQ(platform.verb(id, "abort").status, 200U);
  EXPECT_THAT(types(id), Contains(EventType::DeploymentAborted).Times(1));
  EXPECT_EQ(platform.verb(id, "pause").status, 409U);
}

TEST_F(Rollouts, AbortedGraduallyGoBackStageByStage) {
  const std::string id =
      begin(with("Canary", R"({"stages": [20, 60, 100], "progression": "manual", "abortGradually": true,
                         "abortHoldSeconds": 0})"));
  platform.wait_step(id, 2);
  platform.verb(id, "promote");
  platform.wait_step(id, 4);
  EXPECT_EQ(platform.verb(id, "abort").text("/status"), "InProgress");
  const auto ended = platform.wait_finished(id);
  EXPECT_EQ(ended.status, DeploymentStatus::RolledBack);
  EXPECT_EQ(ended.errorMessage, "aborted by admin");
  EXPECT_EQ(platform.routes(), before);
  // Forward 20 and 60, back to 20, and to where it was.
  EXPECT_THAT(types(id), Contains(EventType::RoutesChanged).Times(4));
  EXPECT_THAT(types(id), Not(Contains(EventType::DeploymentFailed)));
}

TEST_F(Rollouts, GoOnAfterACrashWhereTheyStood) {
  const std::string id = begin(with("Canary", kByHand));
  platform.wait_step(id, 2);
  node.disconnect();
  platform.stop();
  platform.start();
  node.connect(platform);
  EXPECT_EQ(platform.deployment(id).step, 2);
  EXPECT_EQ(platform.verb(id, "promote-full").status, 200U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  EXPECT_EQ(node.unready_routes(), 0);
}

TEST_F(Rollouts, RetriedBeginAgain) {
  node.behave({.makes_ready = false, .routes = true, .fails = "no disk"});
  const std::string id = begin({});
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::RolledBack);
  node.behave({});
  EXPECT_EQ(platform.verb(id, "retry").status, 200U);
  const auto ended = platform.wait_finished(id);
  EXPECT_EQ(ended.status, DeploymentStatus::Completed);
  EXPECT_EQ(ended.errorMessage, std::nullopt);
  EXPECT_EQ(platform.verb(id, "retry").status, 409U);
}

TEST_F(Rollouts, RetriedAndAbortedReturnToBeforeTheFirstTry) {
  auto how = with("Canary", kByHand);
  how["autoRollbackEnabled"] = false;
  const std::string id = begin(std::move(how));
  platform.wait_step(id, 2);
  node.behave({.makes_ready = true, .routes = false, .fails = ""});
  platform.verb(id, "promote");
  platform.wait_step(id, 3);
  platform.clock().advance(2 * limits::kPrepareDeadline);
  node.behave({.makes_ready = true, .routes = false, .fails = ""});  // its report wakes the control plane
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Failed);
  EXPECT_NE(platform.routes(), before);
  EXPECT_EQ(platform.verb(id, "retry").text("/status"), "InProgress");
  EXPECT_EQ(platform.verb(id, "abort").text("/status"), "RolledBack");
  EXPECT_EQ(platform.routes(), before);
}

TEST_F(Rollouts, CancelledBeforeTheyBeginChangeNothing) {
  const std::string id = platform.create("greeter", "2.0.0");
  EXPECT_EQ(platform.verb(id, "cancel").text("/status"), "Cancelled");
  EXPECT_EQ(platform.verb(id, "cancel").status, 200U);
  EXPECT_EQ(platform.verb(id, "execute").status, 409U);
  EXPECT_EQ(platform.routes(), before);
}

TEST_F(Rollouts, QueuedBeginWhenTheRouteIsFree) {
  const std::string first = begin(with("Canary", kByHand));
  const std::string second = platform.create("greeter", "3.0.0", {{"onConflict", "queue"}});
  const Reply queued = platform.verb(second, "execute");
  EXPECT_EQ(queued.status, 202U) << queued.body;
  EXPECT_EQ(queued.text("/status"), "Pending");
  EXPECT_EQ(platform.verb(second, "execute").status, 200U);
  platform.wait_step(first, 2);
  platform.verb(first, "promote-full");
  EXPECT_EQ(platform.wait_finished(first).status, DeploymentStatus::Completed);
  EXPECT_EQ(platform.wait_finished(second).status, DeploymentStatus::Completed);
  EXPECT_EQ(weight("greeter-v3.0.0"), 100);
  EXPECT_THAT(types(second), Contains(EventType::DeploymentQueued).Times(1));
}

TEST_F(Rollouts, RollBackToAnyEarlierVersionThatIsKept) {
  const std::string second = begin({});
  platform.wait_finished(second);
  const std::string third = platform.create("greeter", "3.0.0");
  platform.verb(third, "execute");
  platform.wait_finished(third);
  const std::string path = "/api/v1/wasm/deployments/" + third + "/rollback";
  const Reply reply = platform.post(path, R"({"toModuleId":"greeter-v1.0.0"})");
  EXPECT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.text("/status"), "RolledBack");
  EXPECT_EQ(weight("greeter-v1.0.0"), 100);
  EXPECT_EQ(node.unready_routes(), 0);
  EXPECT_EQ(platform.post(path, R"({"toModuleId":"greeter-v1.0.0"})").status, 200U);
  EXPECT_THAT(platform.post(path, R"({"toModuleId":"greeter-v9.0.0"})").body, HasSubstr("no longer kept"));
  EXPECT_THAT(platform.post(path, R"({"to":"x"})").errors(), Contains(HasSubstr("to: unknown field")));
}

TEST_F(Rollouts, NameEveryBrokenSettingOfAStrategy) {
  platform.upload("greeter", "2.0.0");
  const Reply reply = platform.post("/api/v1/wasm/deployments",
                                    R"({"moduleId":"greeter-v2.0.0","targetRegions":["local"],"strategy":"Canary",
          "strategyConfig":{"stages":[50,20],"holdSeconds":-1}})");
  EXPECT_EQ(reply.status, 400U);
  EXPECT_THAT(reply.errors(), Contains(HasSubstr("strategyConfig.stages[1].weight")));
  EXPECT_THAT(reply.errors(), Contains(HasSubstr("strategyConfig.holdSeconds")));
}

TEST_F(Rollouts, RollingMovesNodeByNode) {
  TestNode other(platform, "node-2");
  const std::string id = begin(with("Rolling", R"({"batchDurationSeconds": 0})"));
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  bool in_part = false;
  for (const auto& event : platform.events(id)) {
    if (event.type != EventType::RoutesChanged || in_part) continue;
    const auto routes = from_json<std::vector<Route>>(event.detail.at("routes")).value();
    in_part = true;
    EXPECT_EQ(routes.at(0).onNodes.at(0).nodes, std::vector{NodeId("node-1")});
  }
  EXPECT_TRUE(in_part);
  EXPECT_THAT(platform.routes().at(0).onNodes, IsEmpty());
}

constexpr std::string_view kRolling = R"({"batchDurationSeconds": 0})";

TEST_F(Rollouts, ABatchIsCheckedAgainAfterItsSwitchAndAnIllOneAsksAPerson) {
  node.behave({.ill = "it cannot reach its database"});
  const std::string id = begin(with("Rolling", kRolling));
  const auto paused = wait_status(id, DeploymentStatus::Paused);
  EXPECT_EQ(paused.plan.at(static_cast<std::size_t>(paused.step)).kind, StepKind::Check);
  EXPECT_THAT(paused.pauseReason.value_or(""), HasSubstr("node-1 is not healthy: it cannot reach its database"));
  // What was reported before is not taken for what is asked now.
  EXPECT_EQ(platform.verb(id, "resume").status, 200U);
  wait_status(id, DeploymentStatus::Paused);
  node.behave({});
  EXPECT_EQ(platform.verb(id, "resume").status, 200U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

TEST_F(Rollouts, ACheckThatIsNotRunIsWaitedForAndAskedForAgainByTheNextControlPlane) {
  node.behave({.checks = false});
  const std::string id = begin(with("Rolling", kRolling));
  const auto checking = platform.wait(id, [](const Deployment& now) {
    return now.step < static_cast<int>(now.plan.size()) &&
           now.plan[static_cast<std::size_t>(now.step)].kind == StepKind::Check;
  });
  ASSERT_EQ(checking.status, DeploymentStatus::InProgress);
  ASSERT_TRUE(node.wait([](const DesiredState& state) {
    return std::ranges::any_of(state.versions, [](const auto& version) { return version.checkNumber != 0; });
  }));
  node.disconnect();
  platform.stop();
  platform.start();
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::InProgress);
  node.connect(platform);
  node.behave({});
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

Options measured(rollout::Samples samples) {
  Options options;
  options.samples = [samples](SampleQuestion) -> Task<rollout::Samples> { co_return samples; };
  return options;
}

constexpr std::string_view kMeasured = R"({"stages": [20, 100], "holdSeconds": 0, "analysis": {
    "metrics": [{"metric": "errorRate", "threshold": 1}], "intervalSeconds": 1, "inconclusiveLimit": 1}})";

rollout::Samples candidate_with(std::uint64_t errors) {
  rollout::Samples samples;
  samples.candidate.requests = 1000;
  samples.candidate.errors = errors;
  return samples;
}

class BadVersion : public Rollouts {
 protected:
  BadVersion() : Rollouts(measured(candidate_with(300))) {}
};
TEST_F(BadVersion, IsTakenBackByTheAnalysis) {
  const std::string id = begin(with("Canary", kMeasured));
  const auto ended = platform.wait_finished(id);
  EXPECT_EQ(ended.status, DeploymentStatus::RolledBack);
  EXPECT_THAT(ended.errorMessage.value_or(""), HasSubstr("error rate 30%"));
  EXPECT_EQ(platform.routes(), before);
  EXPECT_THAT(types(id), Contains(EventType::AnalysisMeasured));
}

class GoodVersion : public Rollouts {
 protected:
  GoodVersion() : Rollouts(measured(candidate_with(0))) {}
};
TEST_F(GoodVersion, GoesOnAfterTheAnalysis) {
  const std::string id = begin(with("Canary", kMeasured));
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

TEST_F(Rollouts, OfWhichNothingIsKnownAskAPerson) {
  const std::string id = begin(with("Canary", kMeasured));
  const auto paused = wait_status(id, DeploymentStatus::Paused);
  EXPECT_THAT(paused.pauseReason.value_or(""), HasSubstr("0 of 100 requests of the new version"));
  EXPECT_EQ(platform.verb(id, "promote").status, 200U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

TEST(DeploymentsAnHour, AreAsManyAsTheSettingAllows) {
  Options options;
  options.deployments_per_hour = 1;
  Platform platform(options);
  platform.create("one", "1.0.0");
  platform.upload("two", "1.0.0");
  const std::string body = R"({"moduleId":"two-v1.0.0","targetRegions":["local"]})";
  EXPECT_EQ(platform.post("/api/v1/wasm/deployments", body).status, 429U);
  platform.clock().advance(1h);
  EXPECT_EQ(platform.post("/api/v1/wasm/deployments", body).status, 201U);
}

}  // namespace
}  // namespace hotswap::control
