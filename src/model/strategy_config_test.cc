#include "model/strategy_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hotswap {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::vector<std::string> fields(DeploymentStrategy strategy, std::string_view config) {
  const auto read = read_strategy(strategy, json::parse(config));
  std::vector<std::string> names;
  if (read) return names;
  for (const auto& error : read.error().fields) names.push_back(error.field);
  return names;
}

template <class Config>
Config read(DeploymentStrategy strategy, std::string_view config) {
  return std::get<Config>(read_strategy(strategy, json::parse(config)).value());
}

TEST(StrategyConfigs, HaveDefaultsThatHold) {
  for (const auto strategy :
       {DeploymentStrategy::AllAtOnce, DeploymentStrategy::Canary, DeploymentStrategy::BlueGreen,
        DeploymentStrategy::Rolling, DeploymentStrategy::Regional, DeploymentStrategy::ABTesting}) {
    EXPECT_TRUE(read_strategy(strategy, json::object())) << enum_name(strategy);
  }
  const auto canary = read<CanaryConfig>(DeploymentStrategy::Canary, "{}");
  EXPECT_THAT(canary.stages, ElementsAre(CanaryStage{10, {}, {}}, CanaryStage{25, {}, {}}, CanaryStage{50, {}, {}},
                                         CanaryStage{100, {}, {}}));
  EXPECT_EQ(canary.by, CanaryBy::traffic);
  EXPECT_EQ(read<RollingConfig>(DeploymentStrategy::Rolling, "{}").onFailure, FailureAction::pause);
}

TEST(StrategyConfigs, OfCanaryTakeStagesAsNumbersOrObjects) {
  const auto canary = read<CanaryConfig>(
      DeploymentStrategy::Canary,
      R"({"stages": [5, {"weight": 50, "holdSeconds": 7, "progression": "manual"}, 100], "by": "nodes"})");
  EXPECT_THAT(canary.stages,
              ElementsAre(CanaryStage{5, {}, {}}, CanaryStage{50, 7, Progression::manual}, CanaryStage{100, {}, {}}));
  EXPECT_EQ(to_json(canary.stages[0]), json::value(5));
  EXPECT_EQ(*from_json<CanaryStage>(to_json(canary.stages[1])), canary.stages[1]);
}

TEST(StrategyConfigs, OfRollingTakeABatchAsCountOrPercent) {
  const auto rolling = read<RollingConfig>(DeploymentStrategy::Rolling, R"({"batchSize": "25%", "maxUnavailable": 2})");
  EXPECT_EQ(rolling.batchSize, (NodeShare{25, true}));
  EXPECT_EQ(rolling.batchSize.of(9), 3);
  EXPECT_EQ(rolling.maxUnavailable.of(9), 2);
  EXPECT_EQ(to_json(rolling.batchSize), json::value("25%"));
  EXPECT_THAT(fields(DeploymentStrategy::Rolling, R"({"batchSize": "many"})"), ElementsAre("strategyConfig.batchSize"));
}

TEST(StrategyConfigs, NameEveryFailureAtOnceWithItsPath) {
  EXPECT_THAT(fields(DeploymentStrategy::Canary,
                     R"({"stages": [50, 10, {"weight": 90, "holdSeconds": -1}], "holdSeconds": 604801})"),
              UnorderedElementsAre("strategyConfig.stages[1].weight", "strategyConfig.stages[2].weight",
                                   "strategyConfig.stages[2].holdSeconds", "strategyConfig.holdSeconds"));
  EXPECT_THAT(fields(DeploymentStrategy::Canary, R"({"stage": [], "stages": ["x"]})"),
              UnorderedElementsAre("strategyConfig.stage", "strategyConfig.stages[0]"));
  EXPECT_THAT(fields(DeploymentStrategy::Rolling, R"({"batchSize": 0, "maxUnavailable": "101%"})"),
              UnorderedElementsAre("strategyConfig.batchSize", "strategyConfig.maxUnavailable"));
  EXPECT_THAT(fields(DeploymentStrategy::BlueGreen, R"({"preview": {"pathPrefix": "x"}, "keepBlueSeconds": -1})"),
              UnorderedElementsAre("strategyConfig.preview.pathPrefix", "strategyConfig.keepBlueSeconds"));
  EXPECT_THAT(
      fields(DeploymentStrategy::ABTesting, R"({"weights": [0, 99], "sticky": {"by": "header"}})"),
      UnorderedElementsAre("strategyConfig.weights[0]", "strategyConfig.weights", "strategyConfig.sticky.name"));
  EXPECT_THAT(fields(DeploymentStrategy::AllAtOnce, "[]"), ElementsAre("strategyConfig"));
}

TEST(StrategyConfigs, OfRegionalHoldTheInnerStrategyToItsOwnRules) {
  EXPECT_THAT(fields(DeploymentStrategy::Regional,
                     R"({"strategy": "Canary", "strategyConfig": {"stages": [10, 20]}, "regions": ["a", "a"]})"),
              UnorderedElementsAre("strategyConfig.strategyConfig.stages[1].weight", "strategyConfig.regions[1]"));
  EXPECT_THAT(fields(DeploymentStrategy::Regional, R"({"strategy": "Regional"})"), Contains("strategyConfig.strategy"));
}

TEST(StrategyConfigs, NameWhatAnAnalysisLacks) {
  EXPECT_THAT(
      fields(DeploymentStrategy::Canary,
             R"({"analysis": {"metrics": [{"metric": "errorRate"}, {"metric": "query", "threshold": 1},
                         {"metric": "latencyP99", "threshold": -1}], "confidence": 1}})"),
      UnorderedElementsAre("strategyConfig.analysis.metrics[0].threshold", "strategyConfig.analysis.metrics[1].query",
                           "strategyConfig.analysis.metrics[2].threshold", "strategyConfig.analysis.confidence"));
  EXPECT_THAT(fields(DeploymentStrategy::Canary, R"({"analysis": {}})"), Contains("strategyConfig.analysis.metrics"));
  EXPECT_THAT(fields(DeploymentStrategy::Canary, R"({"shadow": {"percent": 0, "ignorePaths": ["at"]}})"),
              UnorderedElementsAre("strategyConfig.shadow.percent", "strategyConfig.shadow.ignorePaths[0]"));
}

TEST(StrategyConfigs, TurnRollbackBoundsIntoMetrics) {
  const auto config = read<AllAtOnceConfig>(DeploymentStrategy::AllAtOnce,
                                            R"({"rollbackOnErrorRate": 2, "rollbackOnLatencyP99": 150})");
  const auto analysis = analysis_of(config);
  ASSERT_TRUE(analysis);
  ASSERT_EQ(analysis->metrics.size(), 2U);
  EXPECT_EQ(analysis->metrics[0].metric, MetricKind::errorRate);
  EXPECT_EQ(analysis->metrics[0].threshold, 2);
  EXPECT_EQ(analysis->metrics[1].metric, MetricKind::latencyP99);
  EXPECT_FALSE(analysis_of(AllAtOnceConfig{}));
}

TEST(Routes, WeighOtherwiseOnTheNodesThatTheyName) {
  const ModuleId a{"m-v1.0.0"};
  const ModuleId b{"m-v2.0.0"};
  Route route{.tenant = {}, .name = "m", .region = {}, .versions = {{a, 100}}, .http = {}};
  route.onNodes = {{{NodeId("n2")}, {{b, 100}}}};
  EXPECT_EQ(versions_on(route, NodeId("n1")), route.versions);
  EXPECT_EQ(versions_on(route, NodeId("n2")), route.onNodes[0].versions);
  route.preview = Preview{ModuleId("m-v3.0.0"), {}};
  EXPECT_THAT(versions_of(route), ElementsAre(a, b, ModuleId("m-v3.0.0")));
  EXPECT_EQ(*from_json<Route>(to_json(route)), route);
}

}  // namespace
}  // namespace hotswap
