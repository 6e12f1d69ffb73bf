#include "rollout/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hotswap::rollout {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const TenantId kTenant{"default"};
const Region kEast{"east"};
const Region kWest{"west"};
const ModuleId kNew{"greeter-v3.0.0"};

WeightedVersion version(std::string id, int weight) { return {ModuleId(std::move(id)), weight}; }

Deployment deployment(std::vector<WeightedVersion> before) {
  Deployment made;
  made.moduleId = kNew;
  made.moduleName = "greeter";
  made.http = {.host = std::nullopt, .pathPrefix = "/new/"};
  if (!before.empty()) {
    made.routesBefore = {{.tenant = kTenant,
                          .name = "greeter",
                          .region = kEast,
                          .versions = std::move(before),
                          .http = {.host = std::nullopt, .pathPrefix = "/old/"}}};
  }
  made.regionsWithoutRouteBefore = {kWest};
  return made;
}

Step step(int weight) { return {.kind = StepKind::Shift, .nodes = {}, .regions = {kEast, kWest}, .weight = weight}; }

struct Case {
  std::string name;
  std::vector<WeightedVersion> before;
  int weight;
  std::vector<WeightedVersion> expected;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class Shifting : public testing::TestWithParam<Case> {};

TEST_P(Shifting, WeighsTheNewVersionAgainstWhatWasThere) {
  const auto routes = changed(kTenant, deployment(GetParam().before), step(GetParam().weight));
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0].versions, GetParam().expected);
  int sum = 0;
  for (const auto& weighted : routes[0].versions) sum += weighted.weight;
  EXPECT_EQ(sum, 100);
  EXPECT_EQ(routes[0].http.pathPrefix, "/new/");
  // Where nothing was routed before, there is nothing to share with.
  EXPECT_THAT(routes[1].versions, ElementsAre(WeightedVersion{kNew, 100}));
}

const std::string kNewText = "greeter-v3.0.0";

INSTANTIATE_TEST_SUITE_P(
    Weights, Shifting,
    testing::Values(Case{"Everything", {version("a", 100)}, 100, {version(kNewText, 100)}},
                    Case{"ATenth", {version("a", 100)}, 10, {version(kNewText, 10), version("a", 90)}},
                    Case{"Nothing", {version("a", 100)}, 0, {version("a", 100)}},
                    Case{"RoundingGoesToTheHeaviest",
                         {version("a", 67), version("b", 33)},
                         25,
                         {version(kNewText, 25), version("a", 51), version("b", 24)}},
                    Case{"TheSameVersionAgain", {version(kNewText, 100)}, 100, {version(kNewText, 100)}},
                    Case{"TheSameVersionAgainInPart",
                         {version(kNewText, 50), version("a", 50)},
                         20,
                         {version(kNewText, 20), version("a", 80)}}),
    [](const auto& info) { return info.param.name; });

TEST(ShiftingNodes, LeavesTheOthersAsTheyWere) {
  Step some = step(100);
  some.onNodes = {NodeId("n1")};
  const auto routes = changed(kTenant, deployment({version("a", 100)}), some);
  EXPECT_THAT(routes[0].versions, ElementsAre(version("a", 100)));
  ASSERT_EQ(routes[0].onNodes.size(), 1U);
  EXPECT_THAT(routes[0].onNodes[0].nodes, ElementsAre(NodeId("n1")));
  EXPECT_THAT(routes[0].onNodes[0].versions, ElementsAre(version(kNewText, 100)));
  EXPECT_THAT(routes[1].versions, ElementsAre(version(kNewText, 100)));
  EXPECT_THAT(routes[1].onNodes, IsEmpty());
}

TEST(StandingBeside, AShadowChangesNoWeightAndNoRegionWithoutTraffic) {
  Step shadow{.kind = StepKind::Shadow, .nodes = {}, .regions = {kEast, kWest}, .weight = 30};
  shadow.shadow = ShadowConfig{};
  const auto before = deployment({version("a", 60), version("b", 40)});
  auto routes = changed(kTenant, before, shadow);
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_TRUE(routes[0].shadow.has_value());
  routes[0].shadow.reset();
  EXPECT_EQ(routes, before.routesBefore);
}

TEST(StandingBeside, APreviewChangesNoWeightAndStandsAloneWhereNothingIsRouted) {
  Step preview{.kind = StepKind::Preview, .nodes = {}, .regions = {kEast, kWest}};
  preview.preview = HttpBinding{.host = std::nullopt, .pathPrefix = "/green/"};
  auto deploying = deployment({version("a", 60), version("b", 40)});
  auto routes = changed(kTenant, deploying, preview);
  ASSERT_EQ(routes.size(), 2U);
  const Route alone = routes[1];
  EXPECT_EQ(alone.region, kWest);
  EXPECT_THAT(alone.versions, IsEmpty());
  ASSERT_TRUE(alone.preview);
  EXPECT_EQ(alone.preview->http, *preview.preview);
  ASSERT_TRUE(routes[0].preview);
  routes[0].preview.reset();
  EXPECT_EQ(routes[0], deploying.routesBefore[0]);

  // What such a route leaves behind does not share the traffic of the next deployment.
  deploying.routesBefore = {alone};
  Step shift{.kind = StepKind::Shift, .nodes = {}, .regions = {kWest}, .weight = 10};
  EXPECT_THAT(changed(kTenant, deploying, shift)[0].versions, ElementsAre(version(kNewText, 100)));
}

TEST(GoingBack, StaysWithinTheRegionsThatAreNamed) {
  const auto before = deployment({version("a", 100)});
  EXPECT_EQ(back(kTenant, before, {kEast}).put, before.routesBefore);
  EXPECT_THAT(back(kTenant, before, {kEast}).drop, IsEmpty());
  EXPECT_THAT(back(kTenant, before, {kWest}).put, IsEmpty());
  EXPECT_EQ(back(kTenant, before, {kWest}).drop.size(), 1U);
}

TEST(GoingBack, RestoresWhatWasAndDropsWhatWasNot) {
  const auto before = deployment({version("a", 60), version("b", 40)});
  const auto change = back(kTenant, before);
  EXPECT_EQ(change.put, before.routesBefore);
  ASSERT_EQ(change.drop.size(), 1U);
  EXPECT_EQ(change.drop[0].region, kWest);
  EXPECT_EQ(change.drop[0].name, "greeter");
  EXPECT_EQ(change.drop[0].tenant, kTenant);
}

}  // namespace
}  // namespace hotswap::rollout
