#include "sandbox/wasm/stall_meter.h"

#include <gtest/gtest.h>

namespace hotswap::wasm {
namespace {

using namespace std::chrono_literals;

class StallMeterTest : public testing::Test {
 protected:
  StallMeter meter_;
  StallMeter::Time now_{1000h};
};

TEST_F(StallMeterTest, ShortCallsNeverAddUp) {
  for (int i = 0; i < 100'000; ++i) meter_.held(limits::kStall - 1ns, now_);
  EXPECT_FALSE(meter_.aside());
}

TEST_F(StallMeterTest, OneLongStallIsEnough) {
  meter_.held(limits::kStallCredit, now_);
  EXPECT_TRUE(meter_.aside());
}

TEST_F(StallMeterTest, WhatStaysBelowTheShareIsLetBe) {
  for (int i = 0; i < 10'000; ++i) {
    meter_.held(4ms, now_);
    now_ += 1s;  // 4 in 1000
  }
  EXPECT_FALSE(meter_.aside());
  for (int i = 0; i < 10'000; ++i) {
    meter_.held(6ms, now_);
    now_ += 1s;
  }
  EXPECT_TRUE(meter_.aside());
}

TEST_F(StallMeterTest, AStallIsPaidForInFull) {
  constexpr auto kHeld = 5s;
  meter_.held(kHeld, now_);
  now_ += std::chrono::duration_cast<StallMeter::Duration>(kHeld / limits::kStallShare) - 1s;
  meter_.ended_aside(0ns, now_);
  EXPECT_TRUE(meter_.aside());
  now_ += 2s;
  EXPECT_TRUE(meter_.aside());  // until a call says so
  meter_.ended_aside(0ns, now_);
  EXPECT_FALSE(meter_.aside());
}

TEST_F(StallMeterTest, StaysAsideWhileItsCallsWouldHoldThreadsUp) {
  meter_.held(limits::kStallCredit, now_);
  for (int i = 0; i < 100; ++i) {
    now_ += 1h;
    meter_.ended_aside(limits::kStall, now_);
    EXPECT_TRUE(meter_.aside());
  }
  // Nor does what they do aside count as more than that.
  now_ += std::chrono::duration_cast<StallMeter::Duration>(limits::kStallCredit / limits::kStallShare) + 1s;
  meter_.ended_aside(limits::kStall - 1ns, now_);
  EXPECT_FALSE(meter_.aside());
}

}  // namespace
}  // namespace hotswap::wasm
