#include "sandbox/wasm/stall_meter.h"

#include <gtest/gtest.h>

namespace hotswap::wasm {
namespace {

using namespace std::chrono_literals;

// The meter of a version that has had its first call.
class StallMeterTest : public testing::Test {
 protected:
  StallMeterTest() { meter_.ran_aside(0ns, now_); }

  StallMeter::Time now_{1000h};
  StallMeter meter_;
};

TEST(NewStallMeter, KeepsCallsAsideUntilTheFirstHasRun) {
  StallMeter meter;
  EXPECT_TRUE(meter.aside() && meter.unknown());
  meter.ran_aside(limits::kStallCredit - 1ns, StallMeter::Time{1000h});
  EXPECT_FALSE(meter.aside() || meter.unknown());
}

TEST(NewStallMeter, KeepsThemAsideWhereTheFirstTookTooLong) {
  StallMeter meter;
  meter.ran_aside(limits::kStallCredit, StallMeter::Time{1000h});
  EXPECT_TRUE(meter.aside());
}

TEST_F(StallMeterTest, ShortCallsNeverAddUp) {
  for (int i = 0; i < 100'000; ++i) meter_.held(limits::kStall - 1ns, now_);
  EXPECT_FALSE(meter_.aside());
}

TEST_F(StallMeterTest, OneLongStallIsEnough) {
  meter_.held(limits::kStallCredit, now_);
  EXPECT_TRUE(meter_.aside());
}

TEST_F(StallMeterTest, WhatStaysBelowTheShareIsLetBe) {
  const auto hold_each_second = [&](double part_of_share) {
    const std::chrono::duration<double> time(part_of_share * limits::kStallShare);
    for (int i = 0; i < 100'000; ++i) {
      meter_.held(std::chrono::duration_cast<StallMeter::Duration>(time), now_);
      now_ += 1s;
    }
  };
  hold_each_second(0.8);
  EXPECT_FALSE(meter_.aside());
  hold_each_second(1.2);
  EXPECT_TRUE(meter_.aside());
}

TEST_F(StallMeterTest, AStallIsPaidForInFull) {
  constexpr auto kHeld = 5s;
  meter_.held(kHeld, now_);
  now_ += std::chrono::duration_cast<StallMeter::Duration>(kHeld / limits::kStallShare) - 1s;
  meter_.ran_aside(0ns, now_);
  EXPECT_TRUE(meter_.aside());
  now_ += 2s;
  EXPECT_TRUE(meter_.aside());  // until a call says so
  meter_.ran_aside(0ns, now_);
  EXPECT_FALSE(meter_.aside());
}

TEST_F(StallMeterTest, WhatRunsAsideForOtherReasonsIsNotHeldAgainstTheOthers) {
  meter_.ran_aside(1h, now_);
  EXPECT_FALSE(meter_.aside());
  meter_.held(limits::kStall, now_);
  EXPECT_FALSE(meter_.aside());
}

TEST_F(StallMeterTest, StaysAsideWhileItsCallsWouldHoldThreadsUp) {
  meter_.held(limits::kStallCredit, now_);
  for (int i = 0; i < 100; ++i) {
    now_ += 1h;
    meter_.ran_aside(limits::kStall, now_);
    EXPECT_TRUE(meter_.aside());
  }
  // Nor does what they do aside count as more than that.
  now_ += std::chrono::duration_cast<StallMeter::Duration>(limits::kStallCredit / limits::kStallShare) + 1s;
  meter_.ran_aside(limits::kStall - 1ns, now_);
  EXPECT_FALSE(meter_.aside());
}

}  // namespace
}  // namespace hotswap::wasm
