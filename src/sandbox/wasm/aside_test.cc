#include "sandbox/wasm/aside.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <string_view>
#include <thread>

namespace hotswap::wasm {
namespace {

using namespace std::chrono_literals;

// How often this thread has left its core of its own accord.
long rests() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

// How often the thread of that name has left its core of its own accord.
long rests_of(std::string_view thread) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name != thread) continue;
    constexpr std::string_view kField = "voluntary_ctxt_switches:";
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(kField)) return std::stol(line.substr(kField.size()));
    }
  }
  return 0;
}

class AsideTest : public testing::Test {
 protected:
  // Keeps the thread busy, as requests do that never end, until it is told to end or has rested so often.
  Task<void> be_busy(long enough, std::chrono::steady_clock::time_point until) {
    const long before = rests();
    while (rests() - before < enough && std::chrono::steady_clock::now() < until) {
      co_await asio::post(asio::use_awaitable);
    }
    rested_ = rests() - before;
  }

  asio::io_context io_{1};
  Aside aside_{1};
  long rested_ = 0;
};

TEST_F(AsideTest, WorkLeavesTheThreadAndItsResultComesBack) {
  const auto home = std::this_thread::get_id();
  auto elsewhere = asio::co_spawn(io_, aside_.run([] { return std::this_thread::get_id(); }), asio::use_future);
  io_.run();
  EXPECT_NE(elsewhere.get(), home);
}

TEST_F(AsideTest, AThreadThatNeverRestsStandsBackWhileWorkAsideStarves) {
  std::promise<void> fed;
  asio::co_spawn(io_, aside_.run([&] { fed.get_future().wait(); }), asio::detached);
  constexpr long kEnough = 20;
  asio::co_spawn(io_, be_busy(kEnough, std::chrono::steady_clock::now() + 60s),
                 [&](const std::exception_ptr&) { fed.set_value(); });
  io_.run();
  EXPECT_GE(rested_, kEnough);
}

TEST_F(AsideTest, WakesNowAndThenWhileThereIsWorkSoThatTheKernelChoosesAgain) {
  std::promise<void> fed;
  auto waiting = asio::co_spawn(io_, aside_.run([&] { fed.get_future().wait(); }), asio::use_future);
  io_.run_for(1ms);
  constexpr long kEnough = 20;
  const long before = rests_of("nudge");
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (rests_of("nudge") - before < kEnough && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_GE(rests_of("nudge") - before, kEnough);
  fed.set_value();
  io_.run();
  waiting.get();
  EXPECT_LT(std::chrono::steady_clock::now(), until);
}

TEST_F(AsideTest, AThreadWithoutWorkAsideNeedsNoRest) {
  asio::co_spawn(io_, aside_.run([] {}), asio::detached);
  io_.run();
  io_.restart();
  constexpr long kMany = 20;
  asio::co_spawn(io_, be_busy(kMany, std::chrono::steady_clock::now() + 300ms), asio::detached);
  io_.run();
  EXPECT_LT(rested_, kMany);
}

}  // namespace
}  // namespace hotswap::wasm
