#include "sandbox/wasm/call.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>
#include <utility>

#include "base/limits.h"
#include "sandbox/wasm/engine.h"

namespace hotswap::wasm {
namespace {

// What the thread of a call and the one aside need to hand a guest over and take it back: 45 to 70 µs of a core where
// it was measured. The guest is charged for it where it has a percentage, though it has not used it.
constexpr std::chrono::microseconds kHandOver{40};

// Nullopt where the guest did not fail.
std::optional<GuestFailure> guest_failure(eng_outcome outcome) {
  static constexpr auto kFailures = std::to_array<std::pair<eng_outcome, GuestFailure>>({
      {ENG_OUTCOME_TRAP, GuestFailure::Trap},
      {ENG_OUTCOME_OUT_OF_MEMORY, GuestFailure::OutOfMemory},
      {ENG_OUTCOME_OUTPUT_TOO_LARGE, GuestFailure::OutputTooLarge},
      {ENG_OUTCOME_EXIT, GuestFailure::Exit},
      {ENG_OUTCOME_CANCELLED, GuestFailure::Cancelled},
      {ENG_OUTCOME_NO_RESPONSE, GuestFailure::NoResponse},
  });
  const auto found = std::ranges::find(kFailures, outcome, &std::pair<eng_outcome, GuestFailure>::first);
  return found == kFailures.end() ? std::nullopt : std::optional(found->second);
}

static_assert(static_cast<int>(RefusalKind::Quota) == ENG_REFUSAL_QUOTA);

std::vector<Refusal> refusals_of(const eng_call* call) {
  std::vector<Refusal> refusals;
  eng_call_refusals(
      call,
      [](void* data, eng_refusal kind, std::uint32_t count, eng_slice first) {
        static_cast<std::vector<Refusal>*>(data)->push_back(
            {.kind = static_cast<RefusalKind>(kind), .count = count, .first = std::string(view(first))});
      },
      &refusals);
  return refusals;
}

// Time that this thread has had on a core. Costs a system call.
std::chrono::nanoseconds thread_cpu() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// A guest that seems to have held its thread up may only have been kept from the core, by another process or another
// machine. To know at little cost, the thread notes now and then, before it runs one, the time that it has had.
class CoreSamples {
 public:
  static void before_guest() {
    constexpr auto kOften = limits::kStall / 2;
    const auto now = std::chrono::steady_clock::now();
    if (now - noted_at < kOften) return;
    noted_at = now;
    noted = thread_cpu();
  }

  // No less than the guest has had that this thread ran last, and hardly more than half a stall beyond that.
  static std::chrono::nanoseconds of_guest() { return thread_cpu() - noted; }

 private:
  static inline thread_local std::chrono::steady_clock::time_point noted_at;
  static inline thread_local std::chrono::nanoseconds noted{0};
};

}  // namespace

class WakeSignal {
 public:
  explicit WakeSignal(asio::any_io_executor home) : home_(std::move(home)) {}

  // The engine's view of this signal; every clone of the waker holds a reference.
  [[nodiscard]] eng_waker waker() noexcept {
    return {.data = this,
            .retain = [](void* data) { static_cast<WakeSignal*>(data)->retain(); },
            .release = [](void* data) { static_cast<WakeSignal*>(data)->release(); },
            .wake = [](void* data) { static_cast<WakeSignal*>(data)->wake(); }};
  }

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // Waits for a wake that came since the last one was taken, or for `until`. False when `until` came first.
  Task<bool> wait(std::chrono::steady_clock::time_point until) {
    if (woken_.exchange(false, std::memory_order_acq_rel)) co_return true;
    asio::steady_timer timer(home_, until);
    const Waiting waiting(*this, timer);
    // A wake between the exchange above and the start of waiting saw nobody.
    if (!woken_.load(std::memory_order_seq_cst)) {
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_return woken_.exchange(false, std::memory_order_acq_rel) || std::chrono::steady_clock::now() < until;
  }

 private:
  // Ends the wait also when a cancelled coroutine unwinds through it.
  struct Waiting {
    Waiting(WakeSignal& owner, asio::steady_timer& timer) : signal(owner) {
      signal.timer_ = &timer;
      signal.waiting_.store(true, std::memory_order_seq_cst);
    }
    ~Waiting() {
      signal.waiting_.store(false, std::memory_order_relaxed);
      signal.timer_ = nullptr;
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    WakeSignal& signal;
  };

  void wake() {
    woken_.store(true, std::memory_order_seq_cst);
    if (!waiting_.exchange(false, std::memory_order_seq_cst)) return;
    retain();
    asio::post(home_, [this] {
      // Runs on the call's thread, as wait() does: timer_ is valid or null, and an early cancel is a spurious wake.
      if (timer_ != nullptr) timer_->cancel();
      release();
    });
  }

  asio::any_io_executor home_;
  std::atomic<int> references_{1};
  std::atomic<bool> woken_{false};
  std::atomic<bool> waiting_{false};
  asio::steady_timer* timer_ = nullptr;
};

void Call::Release::operator()(WakeSignal* signal) const noexcept { signal->release(); }

Call::Call(eng_call* handle, asio::any_io_executor home, CallBudget budget, Aside& aside, bool begun_aside,
           StallMeter& stalls)
    : home_(std::move(home)),
      budget_(budget),
      aside_(aside),
      stalls_(stalls),
      begun_aside_(begun_aside),
      is_aside_(begun_aside),
      signal_(new WakeSignal(home_)),
      handle_(handle) {}

Call::~Call() = default;

eng_poll Call::run() {
  const eng_waker waker = signal_->waker();
  return eng_call_poll(handle_.get(), &waker);
}

eng_poll Call::poll() {
  CoreSamples::before_guest();
  return run();
}

Task<eng_poll> Call::poll_aside() {
  const eng_poll event = co_await aside_.run([this] {
    const auto before = cpu();
    const auto core_before = thread_cpu();
    const eng_poll ran = run();
    const auto on_core = thread_cpu() - core_before;
    preempted_ += std::max(std::chrono::nanoseconds{0}, cpu() - before - on_core);
    longest_aside_ = std::max(longest_aside_, on_core);
    handed_over_ += kHandOver;
    return ran;
  });
  if (begun_aside_ && stalls_.unknown()) stalls_.ran_aside(longest_aside_, Clock::now());
  co_return event;
}

void Call::note_stall(std::chrono::nanoseconds cpu) {
  if (is_aside_) return;  // nobody waits for it
  const auto held = cpu - std::exchange(noted_, cpu);
  if (held < limits::kStall) return;
  const auto had = std::min(held, CoreSamples::of_guest());
  if (had < limits::kStall) return;
  stalls_.held(had, Clock::now());
  is_aside_ = true;
}

void Call::begin_timing(Clock::time_point now) {
  if (started_) return;
  started_ = now - std::chrono::nanoseconds(eng_call_result(handle_.get()).wall_nanoseconds);
  deadline_ = *started_ + budget_.wall;
  share_.emplace(budget_.cpu_percent, budget_.cpu_window, *started_);
}

std::chrono::nanoseconds Call::cpu() const {
  return std::chrono::nanoseconds(eng_call_result(handle_.get()).cpu_nanoseconds) - preempted_;
}

Call::Clock::duration Call::cpu_debt(Clock::time_point now) { return share_->owed(now, cpu() + handed_over_); }

Task<void> Call::sleep_until(Clock::time_point until) {
  const auto before = Clock::now();
  asio::steady_timer timer(home_, std::min(until, deadline_));
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  throttled_ += Clock::now() - before;
}

Task<bool> Call::pause(eng_poll why) {
  const auto now = Clock::now();
  begin_timing(now);
  note_stall(cpu());
  if (why == ENG_POLL_PENDING && !co_await signal_->wait(deadline_)) {
    timed_out_ = true;
    co_return false;
  }
  const auto awake = why == ENG_POLL_PENDING ? Clock::now() : now;
  if (awake >= deadline_) {
    timed_out_ = true;
  } else if (const auto debt = cpu_debt(awake); debt > Clock::duration{0}) {
    co_await sleep_until(awake + debt);
  }
  co_return !timed_out_;
}

Result<CallOutcome> Call::end() {
  if (timed_out_ || left_) eng_call_cancel(handle_.get());
  auto result = outcome();
  handle_.reset();
  return result;
}

Task<Result<CallOutcome>> Call::end_aside() {
  auto result = co_await aside_.run([this] { return end(); });
  if (begun_aside_) stalls_.ran_aside(longest_aside_, Clock::now());
  co_return result;
}

Result<CallOutcome> Call::outcome() {
  const eng_result result = eng_call_result(handle_.get());
  const bool aside = is_aside_;
  note_stall(std::chrono::nanoseconds(result.cpu_nanoseconds) - preempted_);
  CallOutcome out;
  out.value = view(result.value);
  out.message = view(result.message);
  out.backtrace = view(result.backtrace);
  out.exit_code = result.exit_code;
  out.stdout_text = view(result.stdout_bytes);
  out.stderr_text = view(result.stderr_bytes);
  out.usage = {.peak_memory_bytes = result.peak_memory_bytes,
               .cpu = std::chrono::nanoseconds(result.cpu_nanoseconds) - preempted_,
               .wall = std::chrono::nanoseconds(result.wall_nanoseconds),
               .throttled = throttled_,
               .yields = result.yields,
               .aside = aside};
  if (result.refusals > 0) [[unlikely]]
    out.refusals = refusals_of(handle_.get());
  if (timed_out_) {
    out.failure = GuestFailure::Timeout;
    out.message = fmt::format("the call did not end within {} s", static_cast<double>(budget_.wall.count()) / 1000.0);
    return out;
  }
  if (result.outcome == ENG_OUTCOME_OK) return out;
  if (const auto failure = guest_failure(result.outcome)) {
    out.failure = failure;
    if (failure == GuestFailure::Cancelled) out.message = "the client left before the call ended";
    return out;
  }
  if (result.outcome == ENG_OUTCOME_POOL_EXHAUSTED) {
    return fail(ErrorKind::kUnavailable, "no free instance slot on this node; try again");
  }
  return fail(ErrorKind::kInternal, "the engine failed: " + out.message);
}

}  // namespace hotswap::wasm
