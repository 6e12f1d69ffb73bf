// The one place where blocking work (SQL, files, compilation, compression) runs.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>

#include <string>
#include <type_traits>
#include <utility>

#include "base/task.h"

namespace hotswap {

// A fixed number of threads named after their work. run() may be called from any thread; the result comes back on the
// executor of the coroutine that awaits it. Destruction waits for work that has begun.
class BlockingPool {
 public:
  // `name` is at most 15 characters (the kernel's bound for thread names).
  BlockingPool(std::string name, std::size_t threads);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  template <class F, class T = std::invoke_result_t<F&>>
  Task<T> run(F work) {
    // Work cannot be cancelled half-way; and Boost 1.81 hands a cancellation to another executor by a pointer that may
    // be gone when it is taken up there.
    co_return co_await asio::co_spawn(
        pool_, [work = std::move(work)]() mutable -> Task<T> { co_return work(); },
        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
  }

  [[nodiscard]] asio::thread_pool::executor_type executor() { return pool_.get_executor(); }

 private:
  asio::thread_pool pool_;
};

}  // namespace hotswap
