#include "control/publication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace hotswap::control {
namespace {

using testing::SizeIs;

const TenantId kTenant{"default"};
const Region kEast{"east"};
const Region kWest{"west"};

SharedVersion version(const std::string& id) {
  DesiredVersion made;
  made.tenant = kTenant;
  made.moduleId = ModuleId(id);
  return std::make_shared<const DesiredVersion>(std::move(made));
}

RoutedVersions routed(const std::string& name, const std::string& id, const Region& region) {
  return {.route = {.tenant = kTenant,
                    .name = name,
                    .region = region,
                    .versions = {{ModuleId(id), 100}},
                    .http = {.host = std::nullopt, .pathPrefix = "/m/" + name + "/"}},
          .versions = {version(id)}};
}

TEST(Publishing, ChangesTheRevisionOfTheRegionsThatItTouches) {
  Publication publication(100, {kEast, kWest});
  const auto revision = publication.apply({.put = {routed("a", "a-1", kEast)}, .drop = {}, .hold = {}, .release = {}});
  EXPECT_GT(revision, 100);
  EXPECT_EQ(publication.revision(kEast), revision);
  EXPECT_EQ(publication.revision(kWest), 100);
  EXPECT_THAT(publication.state(kEast)->routes, SizeIs(1));
  EXPECT_THAT(publication.state(kWest)->routes, SizeIs(0));
}

TEST(Publishing, HoldsVersionsWithoutRoutingToThemAndNamesEachOnce) {
  Publication publication(100, {kEast});
  publication.apply({.put = {routed("a", "a-1", kEast)},
                     .drop = {},
                     .hold = {{"d", {.regions = {kEast}, .versions = {version("a-1"), version("a-2")}}}},
                     .release = {}});
  EXPECT_THAT(publication.state(kEast)->versions, SizeIs(2));
  EXPECT_THAT(publication.state(kEast)->routes, SizeIs(1));
  publication.apply({.put = {}, .drop = {}, .hold = {}, .release = {"d", "unknown"}});
  EXPECT_THAT(publication.state(kEast)->versions, SizeIs(1));
}

TEST(Publishing, IsLiftedAboveWhatANodeClaims) {
  Publication publication(100, {kEast});
  EXPECT_FALSE(publication.claim(100));
  EXPECT_TRUE(publication.claim(500));
  EXPECT_EQ(publication.revision(kEast), 501);
  EXPECT_EQ(publication.lifted(), 501);
}

TEST(Publishing, OneChangeAmongAThousandRoutesIsCheap) {
  Publication publication(100, {kEast});
  Publication::Change all;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "module-" + std::to_string(i);
    all.put.push_back(routed(name, name + "-v1.0.0", kEast));
  }
  publication.apply(std::move(all));
  std::ignore = publication.state(kEast);
  const auto started = std::chrono::steady_clock::now();
  constexpr int kRounds = 10;
  for (int i = 0; i < kRounds; ++i) {
    publication.apply({.put = {routed("module-7", "module-7-v2.0.0", kEast)}, .drop = {}, .hold = {}, .release = {}});
    EXPECT_THAT(publication.state(kEast)->routes, SizeIs(1000));
  }
  const std::chrono::duration<double, std::milli> each = (std::chrono::steady_clock::now() - started) / kRounds;
  RecordProperty("milliseconds", std::to_string(each.count()));
  EXPECT_LT(each.count(), 200) << "far above the 10 ms of an optimised build: something became quadratic";
}

}  // namespace
}  // namespace hotswap::control
