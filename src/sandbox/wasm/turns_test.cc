#include "sandbox/wasm/turns.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace hotswap::wasm {
namespace {

using testing::ElementsAre;

class TurnsTest : public testing::Test {
 protected:
  // Takes `rounds` turns and writes its name at each.
  Task<void> spin(std::string name, int rounds) {
    for (int i = 0; i < rounds; ++i) {
      co_await Turns::of(io_.get_executor()).next(io_.get_executor());
      order_.push_back(name);
    }
  }

  asio::io_context io_{1};
  std::vector<std::string> order_;
};

TEST_F(TurnsTest, EachHasItsTurnInTheOrderOfAsking) {
  for (const std::string name : {"a", "b", "c"}) asio::co_spawn(io_, spin(name, 2), asio::detached);
  io_.run();
  EXPECT_THAT(order_, ElementsAre("a", "b", "c", "a", "b", "c"));
}

TEST_F(TurnsTest, WhatIsReadyMeanwhileGoesBeforeTheNextTurn) {
  constexpr int kGuests = 8;
  for (int i = 0; i < kGuests; ++i) asio::co_spawn(io_, spin("guest", 100), asio::detached);
  // Work that arrives while a guest has its turn, over and over, as requests do.
  int waited_most = 0;
  int asked = 0;
  std::function<void()> ask = [&] {
    const std::size_t before = order_.size();
    asio::post(io_, [&, before] {
      waited_most = std::max(waited_most, static_cast<int>(order_.size() - before));
      if (++asked < 50) ask();
    });
  };
  ask();
  io_.run();
  EXPECT_EQ(order_.size(), kGuests * 100U);
  EXPECT_LE(waited_most, 1);
}

TEST_F(TurnsTest, OneThatLeavesWhileItWaitsKeepsNobodyUp) {
  asio::cancellation_signal leave;
  asio::co_spawn(io_, spin("a", 3), asio::detached);
  asio::co_spawn(io_, spin("gone", 1000), asio::bind_cancellation_slot(leave.slot(), asio::detached));
  asio::co_spawn(io_, spin("b", 3), asio::detached);
  while (order_.size() < 3) io_.run_one();
  leave.emit(asio::cancellation_type::terminal);
  io_.run();
  EXPECT_EQ(std::ranges::count(order_, "a"), 3);
  EXPECT_EQ(std::ranges::count(order_, "b"), 3);
  EXPECT_LE(std::ranges::count(order_, "gone"), 3);
}

TEST_F(TurnsTest, OneThatLeavesWithItsTurnHandsItOn) {
  asio::cancellation_signal leave;
  asio::co_spawn(io_, spin("gone", 1), asio::bind_cancellation_slot(leave.slot(), asio::detached));
  asio::co_spawn(io_, spin("b", 1), asio::detached);
  // After every step in turn, so that one of them is between the grant and the resumption.
  io_.poll_one();
  leave.emit(asio::cancellation_type::terminal);
  io_.run();
  EXPECT_EQ(std::ranges::count(order_, "b"), 1);
}

TEST_F(TurnsTest, AContextThatEndsTakesWaitingOnesWithIt) {
  std::optional<asio::io_context> ending(std::in_place, 1);
  for (int i = 0; i < 3; ++i) {
    asio::co_spawn(
        *ending,
        [&]() -> Task<void> {
          for (;;) co_await Turns::of(ending->get_executor()).next(ending->get_executor());
        },
        asio::detached);
  }
  for (int i = 0; i < 20; ++i) ending->poll_one();
  EXPECT_NO_FATAL_FAILURE(ending.reset());
}

}  // namespace
}  // namespace hotswap::wasm
