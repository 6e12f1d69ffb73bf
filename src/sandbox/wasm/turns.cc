#include "sandbox/wasm/turns.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace hotswap::wasm {
namespace {

// How often the thread looks at its sockets and goes through what is ready between two turns. During a turn of a tick a
// busy thread gathers requests, and more while it answers those, ever fewer: so many times, and few of them are left to
// wait for another turn. On an idle thread they take microseconds.
constexpr int kPasses = 8;

}  // namespace

Turns& Turns::of(const asio::any_io_executor& home) {
  return asio::use_service<Turns>(asio::query(home, asio::execution::context));
}

// Leaves the queue also when a cancelled coroutine unwinds through it.
class Turns::Waiting {
 public:
  Waiting(Turns& turns, const asio::any_io_executor& home)
      : turns_(turns), home_(home), timer_(home, asio::steady_timer::time_point::max()) {
    turns_.waiting_.push_back(&timer_);
    if (!turns_.scheduled_) turns_.schedule(home_);
  }
  ~Waiting() {
    const auto mine = std::ranges::find(turns_.waiting_, &timer_);
    if (mine != turns_.waiting_.end()) {
      turns_.waiting_.erase(mine);
    } else if (turns_.waiting_.empty()) {
      turns_.scheduled_ = false;
    } else {
      turns_.schedule(home_);
    }
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  asio::steady_timer& timer() noexcept { return timer_; }

 private:
  Turns& turns_;
  const asio::any_io_executor& home_;
  asio::steady_timer timer_;
};

void Turns::schedule(const asio::any_io_executor& home) {
  scheduled_ = true;
  pass(home, kPasses);
}

void Turns::pass(const asio::any_io_executor& home, int left) {
  asio::post(home, [this, home, left] { left > 1 ? pass(home, left - 1) : grant(); });
}

void Turns::grant() {
  if (waiting_.empty()) {
    scheduled_ = false;
    return;
  }
  asio::steady_timer* first = waiting_.front();
  waiting_.pop_front();
  first->cancel();
}

Task<void> Turns::next(asio::any_io_executor home) {
  Waiting waiting(*this, home);
  co_await waiting.timer().async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace hotswap::wasm
