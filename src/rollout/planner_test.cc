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

TEST(Planning, AllAtOncePreparesEveryHealthyNodeAndThenShiftsEveryRegion) {
  const auto steps = plan(DeploymentStrategy::AllAtOnce, input());
  ASSERT_TRUE(steps);
  const std::vector<NodeId> nodes{NodeId("e1"), NodeId("w1")};
  EXPECT_THAT(*steps,
              ElementsAre(Step{StepKind::Prepare, nodes, {}, 100}, Step{StepKind::Shift, nodes, {kEast, kWest}, 100}));
}

TEST(Planning, NamesEveryRegionWithoutALiveNode) {
  auto in = input();
  in.nodes = {{NodeId("e1"), kEast, false}};
  const auto steps = plan(DeploymentStrategy::AllAtOnce, in);
  ASSERT_FALSE(steps);
  EXPECT_EQ(steps.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(steps.error().detail, HasSubstr("no live node in regions east, west"));
}

TEST(Planning, RefusesAStrategyThatIsNotThereAndSaysWhichAre) {
  for (const auto strategy : {DeploymentStrategy::Canary, DeploymentStrategy::BlueGreen, DeploymentStrategy::Rolling,
                              DeploymentStrategy::Regional, DeploymentStrategy::ABTesting}) {
    const auto steps = plan(strategy, input());
    ASSERT_FALSE(steps);
    EXPECT_EQ(steps.error().kind, ErrorKind::kUnprocessable);
    ASSERT_EQ(steps.error().fields.size(), 1U);
    EXPECT_EQ(steps.error().fields[0].field, "strategy");
    EXPECT_THAT(steps.error().detail, HasSubstr("is not available in this version; available: AllAtOnce"));
  }
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
