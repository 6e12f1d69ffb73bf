#include "control/liveness.h"

#include <gtest/gtest.h>

namespace hotswap::control {
namespace {

using namespace std::chrono_literals;

constexpr LivenessSettings kSettings{};

class NodeLiveness : public testing::Test {
 protected:
  void report(std::chrono::seconds at, bool good = true) { liveness_.reported(start_ + at, good, kSettings); }
  [[nodiscard]] NodeCondition at(std::chrono::seconds time) const {
    return liveness_.condition(start_ + time, kSettings);
  }

  const SteadyPoint start_{};
  Liveness liveness_{start_};
};

TEST_F(NodeLiveness, IsUnknownUntilItsFirstReportWhichIsEnough) {
  EXPECT_EQ(at(29s), NodeCondition::Unknown);
  EXPECT_EQ(at(30s), NodeCondition::Unhealthy);
  report(31s);
  EXPECT_EQ(at(31s), NodeCondition::Healthy);
}

TEST_F(NodeLiveness, SilenceMakesItSuspectAndThenUnhealthy) {
  report(0s);
  EXPECT_EQ(at(14s), NodeCondition::Healthy);
  EXPECT_EQ(at(15s), NodeCondition::Suspect);
  EXPECT_EQ(at(29s), NodeCondition::Suspect);
  EXPECT_EQ(at(30s), NodeCondition::Unhealthy);
}

TEST_F(NodeLiveness, ASuspectIsBackWithOneReport) {
  report(0s);
  report(20s);
  EXPECT_EQ(at(20s), NodeCondition::Healthy);
}

TEST_F(NodeLiveness, AnUnhealthyOneNeedsTwoGoodReports) {
  report(0s);
  report(40s);
  EXPECT_EQ(at(40s), NodeCondition::Unhealthy);
  report(45s);
  EXPECT_EQ(at(45s), NodeCondition::Healthy);
}

TEST_F(NodeLiveness, ANodeThatSaysItIsNotWellIsUnhealthyAtOnce) {
  report(0s);
  report(5s, false);
  EXPECT_EQ(at(5s), NodeCondition::Unhealthy);
  report(10s);
  EXPECT_EQ(at(10s), NodeCondition::Unhealthy);
  report(15s);
  EXPECT_EQ(at(15s), NodeCondition::Healthy);
}

}  // namespace
}  // namespace hotswap::control
