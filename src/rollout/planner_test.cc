#include "rollout/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hotswap::rollout {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Region kEast{"east"};
const Region kWest{"west"};

PlanInput input() {
  PlanInput in;
  in.tenant = TenantId("default");
  in.module_id = ModuleId("greeter-v2.0.0");
  in.module_name = "greeter";
  in.regions = {kEast, kWest};
  in.nodes = {{NodeId("e1"), kEast, true}, {NodeId("e2"), kEast, false}, {NodeId("w1"), kWest, true}};
  return in;
}

// "Shift@10 e1,e2|e1" and so on: kind, weight, nodes, and the nodes it holds on.
std::string shape(const Step& step) {
  const auto joined = [](const std::vector<NodeId>& nodes) {
    std::string text;
    for (const auto& node : nodes) text += (text.empty() ? "" : ",") + node.str();
    return text;
  };
  std::string text(enum_name(step.kind));
  if (step.kind == StepKind::Shift) text += '@' + std::to_string(step.weight);
  if (step.kind == StepKind::Hold || step.kind == StepKind::Retire) text += ' ' + std::to_string(step.seconds) + 's';
  if (step.gate != Gate::automatic) text += ' ' + std::string(enum_name(step.gate));
  text += ' ' + joined(step.nodes);
  if (step.onNodes) text += '|' + joined(*step.onNodes);
  return text;
}

std::vector<std::string> shapes(DeploymentStrategy strategy, std::string_view config, PlanInput in = input()) {
  in.config = json::parse(config);
  const auto steps = plan(strategy, in);
  if (!steps) return {steps.error().detail};
  std::vector<std::string> all;
  for (const auto& step : *steps) all.push_back(shape(step));
  return all;
}

PlanInput five_nodes() {
  auto in = input();
  in.nodes.clear();
  for (const auto* id : {"e1", "e2", "e3"}) in.nodes.push_back({NodeId(id), kEast, true});
  for (const auto* id : {"w1", "w2"}) in.nodes.push_back({NodeId(id), kWest, true});
  return in;
}

TEST(Planning, AllAtOncePreparesEveryHealthyNodeAndThenShiftsEveryRegion) {
  EXPECT_THAT(shapes(DeploymentStrategy::AllAtOnce, "{}"), ElementsAre("Prepare e1,w1", "Shift@100 e1,w1"));
  EXPECT_THAT(shapes(DeploymentStrategy::AllAtOnce, R"({"holdSeconds": 5})"),
              ElementsAre("Prepare e1,w1", "Shift@100 e1,w1", "Hold 5s e1,w1"));
}

TEST(Planning, CanaryGoesStageByStageAndHoldsAtEachButTheLast) {
  EXPECT_THAT(shapes(DeploymentStrategy::Canary,
                     R"({"stages": [10, {"weight": 50, "progression": "manual"}, 100], "holdSeconds": 7})"),
              ElementsAre("Prepare e1,w1", "Shift@10 e1,w1", "Hold 7s e1,w1", "Shift@50 e1,w1", "Hold 7s manual e1,w1",
                          "Shift@100 e1,w1"));
}

TEST(Planning, CanaryByNodesTakesAShareOfEachRegionsNodes) {
  EXPECT_THAT(
      shapes(DeploymentStrategy::Canary, R"({"stages": [10, 50, 100], "by": "nodes", "holdSeconds": 0})", five_nodes()),
      ElementsAre("Prepare e1,e2,e3,w1,w2", "Shift@100 e1,e2,e3,w1,w2|e1,w1", "Shift@100 e1,e2,e3,w1,w2|e1,e2,w1",
                  "Shift@100 e1,e2,e3,w1,w2"));
}

TEST(Planning, RollingGoesBatchByBatchWithinEachRegion) {
  EXPECT_THAT(shapes(DeploymentStrategy::Rolling, R"({"batchSize": "50%", "batchDurationSeconds": 0})", five_nodes()),
              ElementsAre("Prepare e1,e2,e3,w1,w2", "Shift@100 e1,e2,e3|e1,e2", "Check e1,e2", "Shift@100 e1,e2,e3",
                          "Check e3", "Shift@100 w1,w2|w1", "Check w1", "Shift@100 w1,w2", "Check w2"));
  EXPECT_THAT(
      shapes(DeploymentStrategy::Rolling,
             R"({"batchSize": 5, "batchDurationSeconds": 3, "healthCheckBetweenBatches": false})", five_nodes()),
      ElementsAre("Prepare e1,e2,e3,w1,w2", "Shift@100 e1,e2,e3", "Hold 3s e1,e2,e3", "Shift@100 w1,w2",
                  "Hold 3s w1,w2"));
}

TEST(Planning, BlueGreenTestsGreenSwitchesOnceAndKeepsBlue) {
  EXPECT_THAT(shapes(DeploymentStrategy::BlueGreen,
                     R"({"testDurationSeconds": 9, "preview": {"pathPrefix": "/green/"}, "keepBlueSeconds": 4})"),
              ElementsAre("Prepare e1,w1", "Preview e1,w1", "Hold 9s e1,w1", "Shift@100 e1,w1", "Retire 4s e1,w1"));
  EXPECT_THAT(shapes(DeploymentStrategy::BlueGreen, R"({"progression": "manual", "keepBlue": false})"),
              ElementsAre("Prepare e1,w1", "Hold 0s manual e1,w1", "Shift@100 e1,w1"));
}

TEST(Planning, RegionalGoesRegionByRegionByTheStrategyWithin) {
  EXPECT_THAT(shapes(DeploymentStrategy::Regional,
                     R"({"regions": ["west"], "strategy": "Canary", "strategyConfig": {"stages": [20, 100],
                         "holdSeconds": 1}, "holdSeconds": 60})"),
              ElementsAre("Prepare w1", "Shift@20 w1", "Hold 1s w1", "Shift@100 w1", "Hold 60s w1", "Prepare e1",
                          "Shift@20 e1", "Hold 1s e1", "Shift@100 e1"));
  EXPECT_THAT(shapes(DeploymentStrategy::Regional, R"({"regions": ["mars"]})"),
              ElementsAre(HasSubstr("mars is not a target region")));
}

TEST(Planning, RegionalFailuresStayInTheirRegionUnlessAllIsAskedFor) {
  auto in = input();
  for (const bool all : {false, true}) {
    in.config = json::parse(all ? R"({"rollback": "all"})" : "{}");
    const auto steps = plan(DeploymentStrategy::Regional, in);
    ASSERT_TRUE(steps);
    for (const auto& step : *steps) EXPECT_EQ(step.regionOnly, !all);
  }
}

TEST(Planning, ABTestingSplitsStickilyUntilThereIsAWinner) {
  EXPECT_THAT(shapes(DeploymentStrategy::ABTesting, R"({"weights": [80, 20]})"),
              ElementsAre("Prepare e1,w1", "Shift@20 e1,w1", "Hold 0s manual e1,w1", "Shift@100 e1,w1"));
  EXPECT_THAT(shapes(DeploymentStrategy::ABTesting, R"({"promotion": "whenSignificant", "maximumSeconds": 99})"),
              ElementsAre("Prepare e1,w1", "Shift@50 e1,w1", "Hold 99s significant e1,w1", "Shift@100 e1,w1"));
  auto in = input();
  in.config = json::parse(R"({"sticky": {"by": "cookie", "name": "user"}})");
  const auto steps = plan(DeploymentStrategy::ABTesting, in);
  ASSERT_TRUE(steps);
  EXPECT_EQ((*steps)[1].sticky, (StickyKey{StickyBy::cookie, "user"}));
  EXPECT_EQ((*steps)[3].sticky, std::nullopt);
}

TEST(Planning, AShadowComesBeforeAnyTrafficWhereThereIsSomeToCopy) {
  auto in = input();
  EXPECT_THAT(shapes(DeploymentStrategy::AllAtOnce, R"({"shadow": {}})", in),
              ElementsAre("Prepare e1,w1", "Shift@100 e1,w1"));
  in.routes = {{.tenant = {}, .name = "greeter", .region = kEast, .versions = {{ModuleId("a"), 100}}, .http = {}}};
  EXPECT_THAT(shapes(DeploymentStrategy::AllAtOnce, R"({"shadow": {"holdSeconds": 8}})", in),
              ElementsAre("Prepare e1,w1", "Shadow e1", "Hold 8s e1", "Shift@100 e1,w1"));
}

TEST(Planning, NamesEveryRegionWithoutALiveNode) {
  auto in = input();
  in.nodes = {{NodeId("e1"), kEast, false}};
  const auto steps = plan(DeploymentStrategy::AllAtOnce, in);
  ASSERT_FALSE(steps);
  EXPECT_EQ(steps.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(steps.error().detail, HasSubstr("no live node in regions east, west"));
}

TEST(Planning, NamesUnknownConfiguration) {
  auto in = input();
  in.config = {{"stages", 3}, {"hold", 1}};
  const auto steps = plan(DeploymentStrategy::AllAtOnce, in);
  ASSERT_FALSE(steps);
  EXPECT_EQ(steps.error().kind, ErrorKind::kInvalid);
  ASSERT_EQ(steps.error().fields.size(), 2U);
  EXPECT_EQ(steps.error().fields[0].field, "strategyConfig.stages");

  EXPECT_FALSE(check_strategy(DeploymentStrategy::AllAtOnce, json::value("text")));
}

}  // namespace
}  // namespace hotswap::rollout
