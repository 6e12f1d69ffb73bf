// One call in a fresh instance: where it runs, when it may go on, and what came of it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <engine.h>

#include <chrono>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/task.h"
#include "sandbox/wasm/aside.h"
#include "sandbox/wasm/cpu_share.h"
#include "sandbox/wasm/stall_meter.h"
#include "sandbox/workload.h"

namespace hotswap::wasm {

// How long a call may take and how much of its thread it may have.
struct CallBudget {
  std::chrono::milliseconds wall;  // to the deadline; then the outcome is Timeout
  int cpu_percent = 100;           // of one core, held over `cpu_window`
  std::chrono::milliseconds cpu_window;
};

// Where the engine's waker lands: any thread may wake, the call's own thread waits. Reference-counted, because a waker
// may outlive its call.
class WakeSignal;

// Belongs to one thread, its home, also while its guest runs aside: there it is polled, and nothing else. Destroying it
// ends the guest.
class Call {
 public:
  // `begun_aside`: the guest runs aside from the start. `stalls`: its version's.
  Call(eng_call* handle, asio::any_io_executor home, CallBudget budget, Aside& aside, bool begun_aside,
       StallMeter& stalls);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Between polls only.
  [[nodiscard]] eng_call* get() const noexcept { return handle_.get(); }

  // Whether the guest runs aside from now on. Once it does, it does to its end.
  [[nodiscard]] bool aside() const noexcept { return is_aside_; }
  // Runs the guest until it has something for the caller or must pause, on this thread.
  [[nodiscard]] eng_poll poll();
  // The same on one of the threads aside. Cannot be cancelled half-way: the guest comes back at the next tick.
  [[nodiscard]] Task<eng_poll> poll_aside();

  // After PENDING or YIELDED: returns when the guest may go on, or false when its deadline has passed. Both are delayed
  // so that the CPU percentage holds: a guest that waits often is never found at work by a tick.
  [[nodiscard]] Task<bool> pause(eng_poll why);

  // The client has left: the outcome will be Cancelled, unless the guest has ended.
  void leave() noexcept { left_ = true; }

  // Ends the guest where it has not ended by itself, and frees it. Once, as the last thing; for a guest that runs
  // aside, end_aside(). An Error where the platform failed, not the guest.
  [[nodiscard]] Result<CallOutcome> end();
  [[nodiscard]] Task<Result<CallOutcome>> end_aside();

 private:
  [[nodiscard]] eng_poll run();

  using Clock = std::chrono::steady_clock;
  struct Free {
    void operator()(eng_call* call) const noexcept { eng_call_free(call); }
  };
  struct Release {
    void operator()(WakeSignal* signal) const noexcept;
  };

  // Notes how long the guest has had this thread since it was asked last. Whoever has had it for long is likely to want
  // it for longer, and goes on aside.
  void note_stall(std::chrono::nanoseconds cpu);
  void begin_timing(Clock::time_point now);
  [[nodiscard]] std::chrono::nanoseconds cpu() const;
  [[nodiscard]] Clock::duration cpu_debt(Clock::time_point now);
  Task<void> sleep_until(Clock::time_point until);
  [[nodiscard]] Result<CallOutcome> outcome();

  asio::any_io_executor home_;
  CallBudget budget_;
  Aside& aside_;
  StallMeter& stalls_;
  const bool begun_aside_;
  bool is_aside_;
  bool timed_out_ = false;
  bool left_ = false;
  std::chrono::nanoseconds noted_{0};          // of cpu(), by note_stall
  std::chrono::nanoseconds preempted_{0};      // of the polls aside: time that others had the core
  std::chrono::nanoseconds longest_aside_{0};  // time on the core in one poll
  std::chrono::nanoseconds handed_over_{0};    // what the polls aside cost beside that
  // Known from the first pause on: most calls never ask what time it is.
  std::optional<Clock::time_point> started_;
  Clock::time_point deadline_;
  std::optional<CpuShare> share_;
  Clock::duration throttled_{0};
  std::unique_ptr<WakeSignal, Release> signal_;
  std::unique_ptr<eng_call, Free> handle_;
};

}  // namespace hotswap::wasm
