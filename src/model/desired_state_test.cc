#include "model/desired_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hotswap {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

DesiredVersion version(const std::string& id) {
  DesiredVersion made;
  made.tenant = TenantId("default");
  made.moduleId = ModuleId(id);
  made.digest = Sha256::of(id);
  return made;
}

Route route(const std::string& name, const std::string& id) {
  return {TenantId("default"), name, Region("local"), {{ModuleId(id), 100}}, default_binding(name)};
}

const DesiredState kBefore{1, {version("a"), version("b")}, {route("x", "a"), route("y", "b")}};

TEST(DesiredStateChange, CarriesOnlyWhatDiffers) {
  DesiredState after{2, {version("a"), version("c")}, {route("x", "c")}};
  const auto change = change_between(kBefore, after);
  EXPECT_EQ(change.from, 1);
  EXPECT_THAT(change.putVersions, ElementsAre(version("c")));
  EXPECT_THAT(change.dropVersions, ElementsAre(VersionKey{TenantId("default"), ModuleId("b")}));
  EXPECT_THAT(change.putRoutes, ElementsAre(route("x", "c")));
  EXPECT_THAT(change.dropRoutes, ElementsAre(RouteKey{TenantId("default"), "y"}));
  EXPECT_EQ(apply(kBefore, change), after);
}

TEST(DesiredStateChange, OfNothingIsEmptyButForItsRevision) {
  DesiredState after = kBefore;
  after.revision = 7;
  const auto change = change_between(kBefore, after);
  EXPECT_THAT(change.putVersions, IsEmpty());
  EXPECT_THAT(change.dropRoutes, IsEmpty());
  EXPECT_EQ(apply(kBefore, change)->revision, 7);
}

TEST(DesiredStateChange, TellsTheFallbackWhereItChanged) {
  const std::vector<Peer> peers{{NodeId("n1"), "http://n1:80", "key"}};
  DesiredState after = kBefore;
  after.revision = 2;
  after.fallback = peers;
  EXPECT_EQ(change_between(kBefore, after).fallback, peers);
  EXPECT_EQ(apply(kBefore, change_between(kBefore, after)), after);
  EXPECT_EQ(apply({}, everything(after)), after);
  DesiredState later = after;
  later.revision = 3;
  EXPECT_EQ(change_between(after, later).fallback, std::nullopt);
  EXPECT_EQ(apply(after, change_between(after, later)), later);
  later.fallback.clear();
  EXPECT_EQ(apply(after, change_between(after, later)), later);
}

TEST(DesiredStateChange, IsRefusedByAStateThatItWasNotMadeFor) {
  const auto change = change_between(kBefore, {3, {}, {}});
  EXPECT_EQ(apply({2, {}, {}}, change).error().kind, ErrorKind::kConflict);
}

TEST(DesiredStateChange, EverythingReplacesWhateverWasThere) {
  const DesiredState after{9, {version("z")}, {}};
  EXPECT_EQ(apply(kBefore, everything(after)), after);
}

TEST(DesiredStateChange, SurvivesItsJson) {
  const auto change = change_between(kBefore, {2, {version("c")}, {route("x", "c")}});
  EXPECT_EQ(from_json_text<DesiredChange>(to_json_text(change)), change);
}

VersionMetrics counted(std::int64_t requests, std::vector<std::int64_t> latency) {
  VersionMetrics metrics;
  metrics.requests = requests;
  metrics.failures = requests / 10;
  metrics.latency = std::move(latency);
  return metrics;
}

TEST(VersionMetricsWindow, IsTheDifferenceWithinOneLifeOfTheProcess) {
  const auto window = difference({"life 1", counted(100, {90, 10})}, {"life 1", counted(150, {130, 20})});
  EXPECT_EQ(window.requests, 50);
  EXPECT_EQ(window.failures, 5);
  EXPECT_THAT(window.latency, ElementsAre(40, 10));
}

TEST(VersionMetricsWindow, IsEverythingSinceARestart) {
  EXPECT_EQ(difference({"life 1", counted(100, {90, 10})}, {"life 2", counted(30, {30, 0})}).requests, 30);
}

TEST(NodeRules, NameEveryBrokenField) {
  NodeDescription node;
  node.port = 0;
  std::vector<std::string> fields;
  for (const auto& error : validate(node)) fields.push_back(error.field);
  EXPECT_THAT(fields, ElementsAre("nodeId", "region", "hostname", "port", "runtimeVersion"));
}

}  // namespace
}  // namespace hotswap
