// Whether the calls of a version belong on I/O threads, by how long they have held them up.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>

#include "base/limits.h"

namespace hotswap::wasm {

// A version may hold up I/O threads for limits::kStallShare of the time, with limits::kStallCredit in advance: that is
// little enough for the 99th percentile of its neighbours. One that has held them up for longer is kept aside until the
// time that passes has paid for it, however long that was. Nobody knows a new version: its calls begin aside until one
// of them has paused or ended. Time comes from outside. Any thread.
class StallMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::nanoseconds;

  // Whether its calls are to begin aside. One load.
  [[nodiscard]] bool aside() const noexcept { return aside_.load(std::memory_order_relaxed); }

  // Whether no call has paused or ended yet.
  [[nodiscard]] bool unknown() const noexcept { return !known_.load(std::memory_order_relaxed); }

  // A guest kept an I/O thread for `time` without a pause.
  void held(Duration time, Time now) {
    if (time < limits::kStall) return;
    const std::lock_guard lock(mutex_);
    pay(now);
    owed_ += time;
    if (owed_ >= limits::kStallCredit) aside_.store(true, std::memory_order_relaxed);
  }

  // A call that began aside has ended, or the first one has paused; `longest`: what it took at a stretch. While there
  // are such calls, nothing that is owed below the credit is forgotten.
  void ran_aside(Duration longest, Time now) {
    const std::lock_guard lock(mutex_);
    pay(now);
    if (!known_.exchange(true, std::memory_order_relaxed)) {
      if (longest >= limits::kStall) owed_ += longest;
      if (owed_ < limits::kStallCredit) aside_.store(false, std::memory_order_relaxed);
      return;
    }
    if (!aside()) return;  // this one has its parameters to blame
    if (longest >= limits::kStall) owed_ = std::max<Duration>(owed_, limits::kStallCredit);
    if (owed_ == Duration{0}) aside_.store(false, std::memory_order_relaxed);
  }

 private:
  void pay(Time now) {
    if (now > paid_) {
      const auto passed = std::chrono::duration<double, std::nano>(now - paid_) * limits::kStallShare;
      owed_ = std::max<Duration>(Duration{0}, owed_ - std::chrono::duration_cast<Duration>(passed));
    }
    paid_ = std::max(paid_, now);
  }

  std::atomic<bool> aside_{true};
  std::atomic<bool> known_{false};
  std::mutex mutex_;
  Duration owed_{0};
  Time paid_{};
};

}  // namespace hotswap::wasm
