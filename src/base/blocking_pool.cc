#include "base/blocking_pool.h"

#include <pthread.h>

#include <ctime>

#include "base/scheduling.h"

namespace hotswap {

BlockingPool::BlockingPool(std::string name, std::size_t threads, Priority priority)
    : context_(static_cast<int>(threads)) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name, priority] {
      pthread_setname_np(pthread_self(), name.c_str());
      if (priority == Priority::kBackground) run_in_background();
      context_.run();
    });
  }
}

BlockingPool::~BlockingPool() { open_.reset(); }

std::chrono::nanoseconds BlockingPool::cpu_time() const {
  std::chrono::nanoseconds sum{0};
  for (const auto& thread : threads_) {
    clockid_t clock{};
    timespec time{};
    // The handle is valid until the thread is joined, in the destructor.
    if (::pthread_getcpuclockid(const_cast<std::jthread&>(thread).native_handle(), &clock) != 0) continue;
    ::clock_gettime(clock, &time);
    sum += std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  return sum;
}

}  // namespace hotswap
