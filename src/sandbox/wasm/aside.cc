#include "sandbox/wasm/aside.h"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <optional>
#include <thread>

#include "base/limits.h"

namespace hotswap::wasm {

// One for each context, used on the thread that runs it. While there is work aside it looks now and then whether that
// got its share, and otherwise sleeps for as long: this core is theirs then.
class Aside::StandingBack : public asio::execution_context::service {
 public:
  using key_type = StandingBack;
  static inline asio::execution_context::id id;
  explicit StandingBack(asio::execution_context& context) : service(context) {}

  void begin(const Aside& aside, const asio::any_io_executor& home) {
    if (timer_) return;
    timer_.emplace(home);
    had_ = aside.pool_.cpu_time();
    wait(aside);
  }

 private:
  static constexpr auto kDue = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double, std::milli>(limits::kAsideLook) * limits::kAsideShare);

  void wait(const Aside& aside) {
    timer_->expires_after(limits::kAsideLook);
    timer_->async_wait([this, asked = aside.asked_, &aside](boost::system::error_code error) {
      if (error) return;
      if (asked->load(std::memory_order_relaxed) == 0) return timer_.reset();
      look(aside);
    });
  }

  void look(const Aside& aside) {
    if (aside.pool_.cpu_time() - had_ < kDue) std::this_thread::sleep_for(kDue);
    had_ = aside.pool_.cpu_time();
    wait(aside);
  }

  void shutdown() override { timer_.reset(); }

  std::optional<asio::steady_timer> timer_;
  std::chrono::nanoseconds had_{0};
};

void Aside::stand_back_when_due(const asio::any_io_executor& home) {
  asio::use_service<StandingBack>(asio::query(home, asio::execution::context)).begin(*this, home);
}

}  // namespace hotswap::wasm
