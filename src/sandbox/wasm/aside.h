// Where guests run that no I/O thread is to wait for: those that compute for longer than a tick, and those of versions
// that have held I/O threads up before.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/blocking_pool.h"
#include "base/task.h"

namespace hotswap::wasm {

// Threads in the background. I/O threads on the same cores come first: where the kernel leaves one of them waiting, it
// is made to choose again every limits::kAsideNudge. And so that I/O threads which want all of a core starve nobody,
// those whose work aside always waits stand back for limits::kAsideShare of the time while it does not get as much. Any
// thread may ask that runs an io_context by itself. The contexts outlive this, and nobody waits for work when it goes.
class Aside {
 public:
  explicit Aside(std::size_t threads);
  ~Aside();
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  // Runs `work` there, in the order of asking, and comes back. Cannot be cancelled half-way.
  template <class F, class T = std::invoke_result_t<F&>>
  Task<T> run(F work) {
    const Asking asking(*work_);
    stand_back_when_due(co_await asio::this_coro::executor);
    co_return co_await pool_.run(std::move(work));
  }

 private:
  // What I/O threads look at. They may do so once more when this is gone.
  struct Work {
    std::atomic<int> asked{0};       // pieces that have not ended
    std::atomic<unsigned> rests{0};  // how often that has come down to nothing
    std::mutex mutex;
    const BlockingPool* pool = nullptr;  // null when it is gone

    void begin() {
      if (asked.fetch_add(1, std::memory_order_relaxed) == 0) asked.notify_one();
    }
    void end() {
      if (asked.fetch_sub(1, std::memory_order_relaxed) == 1) rests.fetch_add(1, std::memory_order_relaxed);
    }
    // Time on cores so far.
    std::chrono::nanoseconds had() {
      const std::lock_guard lock(mutex);
      return pool == nullptr ? std::chrono::nanoseconds{0} : pool->cpu_time();
    }
    void look_at(const BlockingPool* at) {
      const std::lock_guard lock(mutex);
      pool = at;
    }
  };
  // For the life of a piece of work.
  struct Asking {
    explicit Asking(Work& all) : work(all) { work.begin(); }
    ~Asking() { work.end(); }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    Work& work;
  };
  class StandingBack;

  void stand_back_when_due(const asio::any_io_executor& home);

  std::shared_ptr<Work> work_ = std::make_shared<Work>();
  BlockingPool pool_;
  std::jthread nudge_;
};

}  // namespace hotswap::wasm
