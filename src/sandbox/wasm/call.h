// One call in a fresh instance, polled inline on the thread that owns it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <engine.h>

#include <chrono>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/task.h"
#include "sandbox/wasm/cpu_share.h"
#include "sandbox/workload.h"

namespace hotswap::wasm {

// How long a call may take and how much of its thread it may have.
struct CallBudget {
  std::chrono::milliseconds wall;  // to the deadline; then the outcome is Timeout
  int cpu_percent = 100;           // of one core, held over `cpu_window`
  std::chrono::milliseconds cpu_window;
};

// A call that only computes may yield this often before it is worth watching whether its client leaves.
inline constexpr int kUnwatchedYields = 4;

// Where the engine's waker lands: any thread may wake, the call's own thread waits. Reference-counted, because a waker
// may outlive its call.
class WakeSignal;

// Belongs to one thread. Destroying it ends the guest.
class Call {
 public:
  Call(eng_call* handle, asio::any_io_executor home, CallBudget budget);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  [[nodiscard]] eng_call* get() const noexcept { return handle_.get(); }

  // Runs the guest until it has something for the caller or must pause. Never suspends.
  [[nodiscard]] eng_poll poll();

  // After PENDING or YIELDED: returns when the guest may go on. False when its deadline has passed: the call is
  // cancelled then and outcome() says Timeout. Both are delayed so that the CPU percentage holds: a guest that waits
  // often is never found at work by a tick.
  [[nodiscard]] Task<bool> pause(eng_poll why);

  // Ends the guest; outcome() says Cancelled.
  void cancel();

  // After DONE, a false pause() or cancel(). Error where the platform failed, not the guest.
  [[nodiscard]] Result<CallOutcome> outcome() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Free {
    void operator()(eng_call* call) const noexcept { eng_call_free(call); }
  };
  struct Release {
    void operator()(WakeSignal* signal) const noexcept;
  };

  void begin_timing(Clock::time_point now);
  [[nodiscard]] Clock::duration cpu_debt(Clock::time_point now);
  Task<void> sleep_until(Clock::time_point until);

  asio::any_io_executor home_;
  CallBudget budget_;
  // Known from the first pause on: most calls never ask what time it is.
  std::optional<Clock::time_point> started_;
  Clock::time_point deadline_;
  std::optional<CpuShare> share_;
  Clock::duration throttled_{0};
  bool timed_out_ = false;
  bool cancelled_ = false;
  std::unique_ptr<WakeSignal, Release> signal_;
  std::unique_ptr<eng_call, Free> handle_;
};

}  // namespace hotswap::wasm
