#include "sandbox/wasm/aside.h"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/limits.h"

namespace hotswap::wasm {

// One for each context, used on the thread that runs it. While there is work aside it looks now and then whether that
// got its share, and otherwise sleeps for what is owed: this core is theirs then.
class Aside::StandingBack : public asio::execution_context::service {
 public:
  using key_type = StandingBack;
  static inline asio::execution_context::id id;
  explicit StandingBack(asio::execution_context& context) : service(context) {}

  void begin(const std::shared_ptr<Work>& work, const asio::any_io_executor& home) {
    if (timer_) return;
    timer_.emplace(home);
    had_ = work->had();
    owed_ = std::chrono::nanoseconds{0};
    rests_ = work->rests.load(std::memory_order_relaxed);
    wait(work);
  }

 private:
  static constexpr auto kDue = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double, std::nano>(limits::kAsideLook) * limits::kAsideShare);
  // What it had in advance counts for so long: a burst of requests is served first.
  static constexpr auto kSaved = 10 * kDue;

  void wait(const std::shared_ptr<Work>& work) {
    timer_->expires_after(limits::kAsideLook);
    timer_->async_wait([this, work](boost::system::error_code error) {
      if (error) return;
      if (work->asked.load(std::memory_order_relaxed) == 0) return timer_.reset();
      look(*work);
      wait(work);
    });
  }

  void look(Work& work) {
    const unsigned rests = work.rests.load(std::memory_order_relaxed);
    const bool rested = std::exchange(rests_, rests) != rests;  // at times there was no work
    const auto before = std::exchange(had_, work.had());
    owed_ = std::clamp(owed_ + kDue - (had_ - before), -kSaved, kSaved);
    if (rested) owed_ = std::min(owed_, std::chrono::nanoseconds{0});
    if (owed_ > std::chrono::nanoseconds{0}) std::this_thread::sleep_for(std::min(owed_, kDue));
  }

  void shutdown() override { timer_.reset(); }

  std::optional<asio::steady_timer> timer_;
  std::chrono::nanoseconds had_{0};
  std::chrono::nanoseconds owed_{0};  // to the work aside; below nothing: what it had in advance
  unsigned rests_ = 0;
};

Aside::Aside(std::size_t threads)
    : pool_("guests", threads, BlockingPool::Priority::kBackground),
      // A thread whose waking makes the kernel choose anew who has the core, and that does nothing else: an I/O thread
      // that wakes while it owes others time does not take the core at once, and nothing would ask again before the
      // kernel's own tick, which may be 4 ms away.
      nudge_([work = work_](const std::stop_token& stop) {
        pthread_setname_np(pthread_self(), "nudge");
        while (!stop.stop_requested()) {
          work->asked.wait(0, std::memory_order_relaxed);
          std::this_thread::sleep_for(limits::kAsideNudge);
        }
      }) {
  work_->look_at(&pool_);
}

Aside::~Aside() {
  work_->look_at(nullptr);
  nudge_.request_stop();
  const Asking wake(*work_);
  nudge_.join();
}

void Aside::stand_back_when_due(const asio::any_io_executor& home) {
  asio::use_service<StandingBack>(asio::query(home, asio::execution::context)).begin(work_, home);
}

}  // namespace hotswap::wasm
