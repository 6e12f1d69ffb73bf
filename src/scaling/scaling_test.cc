#include "scaling/scaling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace hotswap::scaling {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr TimePoint kStart{std::chrono::hours(1'000'000)};

// A region that is looked at every so often.
class Region {
 public:
  explicit Region(Triggers triggers = {}, Bounds bounds = {.minimum = 1, .maximum = 10})
      : triggers_(triggers), bounds_(bounds) {}

  std::optional<ScalingEvent> look(const Figures& figures, std::chrono::milliseconds later = 10s) {
    now_ += later;
    auto seen = scaling::look(triggers_, bounds_, figures, memory_, now_);
    memory_ = seen.memory;
    return std::move(seen.decision);
  }
  // Until there is a decision or `time` has passed; how long it took.
  std::optional<std::chrono::milliseconds> decides_within(std::chrono::milliseconds time, const Figures& figures) {
    const TimePoint from = now_;
    while (now_ - from < time) {
      if ((last_ = look(figures))) return now_ - from;
    }
    return std::nullopt;
  }
  [[nodiscard]] const ScalingEvent& last() const { return *last_; }
  Memory& memory() { return memory_; }
  [[nodiscard]] TimePoint now() const { return now_; }

 private:
  Triggers triggers_;
  Bounds bounds_;
  Memory memory_;
  TimePoint now_ = kStart;
  std::optional<ScalingEvent> last_;
};

TEST(Scaling, ScalesUpAfterFiveMinutesAboveSeventyPercent) {
  Region region;
  const auto took = region.decides_within(1h, {.nodes = 3, .cpu = 71, .modules = {}});
  ASSERT_TRUE(took);
  EXPECT_EQ(*took, 5min + 10s);  // from the first look on
  EXPECT_EQ(region.last().direction, ScalingDirection::up);
  EXPECT_EQ(region.last().trigger, ScalingTrigger::cpuHigh);
  EXPECT_EQ(region.last().fromNodes, 3);
  EXPECT_EQ(region.last().toNodes, 4);
  EXPECT_EQ(region.last().value, 71);
  EXPECT_EQ(region.last().threshold, 70);
  EXPECT_EQ(region.last().reason, "CPU above 70% for 300 s, now 71.0%");
  EXPECT_EQ(region.last().at, region.now());
}

TEST(Scaling, ScalesDownAfterFifteenMinutesBelowThirtyPercent) {
  Region region;
  EXPECT_EQ(region.decides_within(1h, {.nodes = 3, .cpu = 29, .modules = {}}), 15min + 10s);
  EXPECT_EQ(region.last().direction, ScalingDirection::down);
  EXPECT_EQ(region.last().trigger, ScalingTrigger::cpuLow);
  EXPECT_EQ(region.last().toNodes, 2);
}

TEST(Scaling, ScalesUpAtOnceAboveEightHundredModules) {
  Region region;
  EXPECT_FALSE(region.look({.nodes = 2, .cpu = 50, .modules = 800}));
  const auto decision = region.look({.nodes = 2, .cpu = 50, .modules = 801});
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->trigger, ScalingTrigger::moduleCount);
  EXPECT_THAT(decision->reason, HasSubstr("801 modules"));
}

TEST(Scaling, TheThresholdsThemselvesAreNeitherBusyNorIdle) {
  Region region;
  EXPECT_FALSE(region.decides_within(2h, {.nodes = 3, .cpu = 70, .modules = 800}));
  EXPECT_FALSE(region.decides_within(2h, {.nodes = 3, .cpu = 30, .modules = {}}));
}

TEST(Scaling, APauseBeginsTheWindowAnew) {
  Region region;
  const Figures busy{.nodes = 3, .cpu = 90, .modules = {}};
  ASSERT_FALSE(region.decides_within(299s, busy));
  ASSERT_FALSE(region.look({.nodes = 3, .cpu = 69, .modules = {}}));
  EXPECT_EQ(region.decides_within(1h, busy), 5min + 10s);
}

TEST(Scaling, WhatNobodySawDoesNotCount) {
  const Figures busy{.nodes = 3, .cpu = 90, .modules = {}};
  Region silent;
  ASSERT_FALSE(silent.decides_within(4min, busy));
  ASSERT_FALSE(silent.look({.nodes = 3, .cpu = {}, .modules = {}}));
  EXPECT_EQ(silent.decides_within(1h, busy), 5min + 10s);

  Region away;
  ASSERT_FALSE(away.decides_within(4min, busy));
  EXPECT_FALSE(away.look(busy, 10min));
  EXPECT_EQ(away.decides_within(1h, busy), 5min);

  Region set_back;
  ASSERT_FALSE(set_back.decides_within(4min, busy));
  EXPECT_FALSE(set_back.look(busy, -1h));
  EXPECT_EQ(set_back.decides_within(2h, busy), 5min);
}

TEST(Scaling, NothingIsDecidedInTheCooldown) {
  Region region({.busy_for = 30s, .idle_for = 30s, .cooldown = 5min});
  const Figures busy{.nodes = 3, .cpu = 90, .modules = {}};
  ASSERT_TRUE(region.decides_within(1min, busy));
  EXPECT_EQ(region.decides_within(1h, {.nodes = 4, .cpu = 5, .modules = {}}), 5min);
  EXPECT_EQ(region.last().direction, ScalingDirection::down);
  EXPECT_EQ(region.decides_within(1h, busy), 5min);
}

TEST(Scaling, ACooldownHoldsOverARestartAndAClockThatIsSetBackEndsItInTheEnd) {
  Region region({.busy_for = 0s, .cooldown = 5min});
  const Figures busy{.nodes = 3, .cpu = 90, .modules = {}};
  region.memory().decided_at = kStart - 1min;  // as the log of events says
  EXPECT_EQ(region.decides_within(1h, busy), 4min);
  region.memory().decided_at = region.now() + 24h;
  EXPECT_EQ(region.decides_within(1h, busy), 5min + 10s);
}

TEST(Scaling, StaysWithinItsBounds) {
  const Figures busy{.nodes = 4, .cpu = 100, .modules = 1000};
  const Figures idle{.nodes = 2, .cpu = 0, .modules = {}};
  Region region({}, {.minimum = 2, .maximum = 4});
  EXPECT_FALSE(region.decides_within(3h, busy));
  EXPECT_FALSE(region.decides_within(3h, idle));
  EXPECT_FALSE(region.decides_within(3h, {.nodes = 9, .cpu = 100, .modules = {}}));
  EXPECT_TRUE(region.decides_within(3h, {.nodes = 9, .cpu = 1, .modules = {}}));
}

TEST(Scaling, ARegionWithoutNodesIsNotScaled) {
  Region region;
  EXPECT_FALSE(region.decides_within(3h, {.nodes = 0, .cpu = {}, .modules = {}}));
}

TEST(Scaling, NoNodeIsGivenUpWhoseShareTheOthersCouldNotTake) {
  Region busy_without({.busy_percent = 50, .idle_percent = 40});
  EXPECT_FALSE(busy_without.decides_within(3h, {.nodes = 2, .cpu = 30, .modules = {}}));
  EXPECT_TRUE(busy_without.decides_within(3h, {.nodes = 4, .cpu = 30, .modules = {}}));
  Region full_without;
  EXPECT_FALSE(full_without.decides_within(3h, {.nodes = 2, .cpu = 1, .modules = 401}));
  EXPECT_TRUE(full_without.decides_within(3h, {.nodes = 2, .cpu = 1, .modules = 400}));
  Region last({}, {.minimum = 0, .maximum = 4});
  EXPECT_FALSE(last.decides_within(3h, {.nodes = 1, .cpu = 0, .modules = {}}));
}

// A load that comes and goes by itself, on a region that is scaled as decided.
struct Course {
  int direction_changes = 0;
  std::vector<ScalingEvent> decisions;
  int least = 0;
  int most = 0;
};

Course follow(const Triggers& triggers, const Bounds& bounds, std::uint32_t seed, double load_low, double load_high) {
  std::mt19937 random(seed);
  const auto draw = [&random](double from, double to) { return std::uniform_real_distribution(from, to)(random); };
  Region region(triggers, bounds);
  Course course;
  int nodes = std::uniform_int_distribution(bounds.minimum, bounds.maximum)(random);
  course.least = course.most = nodes;
  for (int i = 0; i < 5'000; ++i) {
    const double load = draw(load_low, load_high);  // in percent of one node
    const auto decision = region.look({.nodes = nodes, .cpu = std::min(100.0, load / nodes), .modules = {}},
                                      std::chrono::milliseconds(static_cast<int>(draw(1'000, 20'000))));
    if (!decision) continue;
    if (!course.decisions.empty() && course.decisions.back().direction != decision->direction) {
      ++course.direction_changes;
    }
    EXPECT_EQ(decision->fromNodes, nodes) << "seed " << seed;
    nodes = decision->toNodes;
    course.least = std::min(course.least, nodes);
    course.most = std::max(course.most, nodes);
    course.decisions.push_back(*decision);
  }
  return course;
}

TEST(Scaling, WhateverTheLoadDoesDecisionsKeepTheirDistanceAndTheirBounds) {
  std::size_t decisions = 0;
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    const Triggers triggers{.busy_for = std::chrono::seconds(seed % 7 * 20),
                            .idle_for = std::chrono::seconds(seed % 5 * 30),
                            .cooldown = std::chrono::seconds(seed % 11 * 15)};
    const Bounds bounds{.minimum = 1 + static_cast<int>(seed % 3), .maximum = 4 + static_cast<int>(seed % 9)};
    const Course course = follow(triggers, bounds, seed, 0, 100.0 * (1 + seed % 12));
    EXPECT_GE(course.least, bounds.minimum) << "seed " << seed;
    EXPECT_LE(course.most, bounds.maximum) << "seed " << seed;
    decisions += course.decisions.size();
    for (std::size_t i = 1; i < course.decisions.size(); ++i) {
      const auto& decision = course.decisions[i];
      const auto window = decision.direction == ScalingDirection::up ? triggers.busy_for : triggers.idle_for;
      EXPECT_GE(decision.at - course.decisions[i - 1].at, std::max(triggers.cooldown, window)) << "seed " << seed;
    }
  }
  EXPECT_GT(decisions, 1'000U);
}

TEST(Scaling, ASteadyLoadIsNeverScaledBothWays) {
  std::size_t decisions = 0;
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    const double load = 5.0 * seed;
    const Course course =
        follow({.busy_for = 30s, .idle_for = 30s, .cooldown = 1min}, {.minimum = 1, .maximum = 12}, seed, load, load);
    EXPECT_EQ(course.direction_changes, 0) << "seed " << seed;
    decisions += course.decisions.size();
  }
  EXPECT_GT(decisions, 200U);
}

}  // namespace
}  // namespace hotswap::scaling
