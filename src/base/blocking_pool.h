// The one place where work that would hold up an I/O thread (SQL, files, compilation, long guests) runs.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/task.h"

namespace hotswap {

// A fixed number of threads named after their work, which begins in the order of asking. run() may be called from any
// thread; the result comes back on the executor of the coroutine that awaits it. Destruction waits for work that has
// been asked for; the contexts that it answers to must outlive the pool.
class BlockingPool {
 public:
  enum class Priority { kNormal, kBackground };  // see run_in_background()

  // `name` is at most 15 characters (the kernel's bound for thread names).
  BlockingPool(std::string name, std::size_t threads, Priority priority = Priority::kNormal);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  template <class F, class T = std::invoke_result_t<F&>>
  Task<T> run(F work) {
    // Work cannot be cancelled half-way; and Boost 1.81 hands a cancellation to another executor by a pointer that may
    // be gone when it is taken up there.
    co_return co_await asio::co_spawn(
        context_, [work = std::move(work)]() mutable -> Task<T> { co_return work(); },
        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
  }

  [[nodiscard]] asio::io_context::executor_type executor() { return context_.get_executor(); }

  // Time that its threads have had on cores, together. A system call for each.
  [[nodiscard]] std::chrono::nanoseconds cpu_time() const;

 private:
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> open_{context_.get_executor()};
  std::vector<std::jthread> threads_;
};

}  // namespace hotswap
