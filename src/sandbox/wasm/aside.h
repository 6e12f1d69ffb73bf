// Where guests run that no I/O thread is to wait for: those that compute for longer than a tick, and those of versions
// that have held I/O threads up before.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/blocking_pool.h"
#include "base/task.h"

namespace hotswap::wasm {

// Threads in the background. So that I/O threads which want all of a core starve nobody, those with work aside stand
// back for limits::kAsideShare of the time while that work does not get as much. Any thread may ask that runs an
// io_context by itself. The contexts outlive this, and nobody waits for work when it goes.
class Aside {
 public:
  explicit Aside(std::size_t threads) : pool_("guests", threads, BlockingPool::Priority::kBackground) {}

  // Runs `work` there, in the order of asking, and comes back. Cannot be cancelled half-way.
  template <class F, class T = std::invoke_result_t<F&>>
  Task<T> run(F work) {
    const Asked asked(*asked_);
    stand_back_when_due(co_await asio::this_coro::executor);
    co_return co_await pool_.run(std::move(work));
  }

 private:
  // For the life of a piece of work.
  struct Asked {
    explicit Asked(std::atomic<int>& all) : count(all) { count.fetch_add(1, std::memory_order_relaxed); }
    ~Asked() { count.fetch_sub(1, std::memory_order_relaxed); }
    Asked(const Asked&) = delete;
    Asked& operator=(const Asked&) = delete;
    std::atomic<int>& count;
  };
  class StandingBack;

  void stand_back_when_due(const asio::any_io_executor& home);

  // Looked at once more when this may be gone.
  std::shared_ptr<std::atomic<int>> asked_ = std::make_shared<std::atomic<int>>(0);
  BlockingPool pool_;
};

}  // namespace hotswap::wasm
