#include "base/limits.h"
#include "store/store_fixture.h"

namespace hotswap {
namespace {

using testing::ElementsAre;

class ScalingRows : public StoreTest {
 protected:
  static ScalingEvent event(const std::string& region) {
    ScalingEvent made;
    made.region = Region(region);
    made.direction = ScalingDirection::down;
    made.trigger = ScalingTrigger::cpuLow;
    made.fromNodes = 3;
    made.toNodes = 2;
    made.value = 12.5;
    made.reason = "CPU below 30%";
    made.at = TimePoint(std::chrono::milliseconds(7));
    return made;
  }
  std::int64_t add(const std::string& region, bool tell = false) {
    return must(store_->add_scaling_event(event(region), tell));
  }
  static std::vector<std::int64_t> sequences(const Page<ScalingEvent>& page) {
    std::vector<std::int64_t> all;
    for (const auto& one : page.items) all.push_back(one.sequence);
    return all;
  }
};

TEST_P(ScalingRows, EventsAreNumberedWithoutAGapAndListedNewestFirst) {
  for (const char* region : {"us-east", "eu-west", "us-east"}) add(region);
  auto first = event("us-east");
  first.sequence = 3;
  const auto all = must(store_->scaling_events({}));
  EXPECT_THAT(sequences(all), ElementsAre(3, 2, 1));
  EXPECT_EQ(all.items.front(), first);
  EXPECT_THAT(sequences(must(store_->scaling_events({.region = Region("us-east")}))), ElementsAre(3, 1));

  const auto page = must(store_->scaling_events({.limit = 2}));
  EXPECT_THAT(sequences(page), ElementsAre(3, 2));
  const auto rest = must(store_->scaling_events({.limit = 2, .cursor = page.nextCursor}));
  EXPECT_THAT(sequences(rest), ElementsAre(1));
  EXPECT_FALSE(rest.nextCursor);
  const auto other = store_->scaling_events({.region = Region("us-east"), .limit = 2, .cursor = page.nextCursor});
  EXPECT_EQ(kind_of(other), ErrorKind::kInvalid);
}

TEST_P(ScalingRows, WhatIsToBeToldIsTheOldestUntilItIsTold) {
  add("us-east");
  EXPECT_FALSE(must(store_->untold_scaling_event()));
  const auto second = add("us-east", true);
  const auto third = add("eu-west", true);
  EXPECT_EQ(must(store_->untold_scaling_event()).value().sequence, second);
  ASSERT_TRUE(store_->scaling_event_told(second));
  EXPECT_EQ(must(store_->untold_scaling_event()).value().sequence, third);
  ASSERT_TRUE(store_->scaling_event_told(third));
  EXPECT_FALSE(must(store_->untold_scaling_event()));
}

HOTSWAP_ON_BOTH_DATABASES(ScalingRows);

}  // namespace
}  // namespace hotswap
