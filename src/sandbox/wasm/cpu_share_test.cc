#include "sandbox/wasm/cpu_share.h"

#include <gtest/gtest.h>

namespace hotswap::wasm {
namespace {

using namespace std::chrono_literals;

constexpr auto kWindow = 100ms;

// A guest of a test's own clock: it works for `turn`, waits for `rest`, and waits for what it owes.
class Guest {
 public:
  explicit Guest(int percent) : share_(percent, kWindow, now_) {}
  void work(CpuShare::Duration turn, CpuShare::Duration rest = 0ns) {
    now_ += turn;
    cpu_ += turn;
    now_ += rest;
    now_ += share_.owed(now_, cpu_);
  }
  void idle(CpuShare::Duration time) {
    now_ += time;
    (void)share_.owed(now_, cpu_);
  }
  [[nodiscard]] CpuShare::Duration wall() const { return now_ - CpuShare::Time{}; }
  [[nodiscard]] CpuShare::Duration cpu() const { return cpu_; }
  // Percent of a core from that wall and CPU time on.
  [[nodiscard]] double percent(CpuShare::Duration wall_before = 0ns, CpuShare::Duration cpu_before = 0ns) const {
    return 100.0 * static_cast<double>((cpu() - cpu_before).count()) /
           static_cast<double>((wall() - wall_before).count());
  }

 private:
  CpuShare::Time now_{};
  CpuShare::Duration cpu_{0};
  CpuShare share_;
};

TEST(CpuShareTest, ASpinningGuestGetsItsPercentageOverFiveSeconds) {
  for (const int percent : {1, 10, 25, 50, 99}) {
    Guest guest(percent);
    while (guest.wall() < 5s) guest.work(1ms);
    // One window of credit at the start is two percent of five seconds.
    EXPECT_NEAR(guest.percent(), percent, 0.03 * percent) << percent;
  }
}

TEST(CpuShareTest, HundredPercentIsNeverDelayed) {
  CpuShare share(100, kWindow, {});
  EXPECT_EQ(share.owed(CpuShare::Time(1ms), 1ms), 0ns);
  EXPECT_EQ(share.owed(CpuShare::Time(10s), 10s), 0ns);
}

TEST(CpuShareTest, AShortCallIsNotDelayed) {
  CpuShare share(10, kWindow, {});
  EXPECT_EQ(share.owed(CpuShare::Time(5ms), 5ms), 0ns);
}

TEST(CpuShareTest, WorkingBetweenShortWaitsBuysNothing) {
  Guest guest(20);
  while (guest.wall() < 5s) guest.work(400us, 50us);
  EXPECT_NEAR(guest.percent(), 20, 1);
}

TEST(CpuShareTest, ALongWaitSavesUpOneWindowAtMost) {
  Guest guest(50);
  guest.idle(60s);
  const auto wall = guest.wall();
  while (guest.wall() < wall + 1s) guest.work(1ms);
  EXPECT_LE(guest.cpu(), 500ms + 50ms + 1ms);
}

TEST(CpuShareTest, AGuestThatUsesLessThanItsShareIsNeverDelayed) {
  Guest guest(50);
  for (int i = 0; i < 1000; ++i) guest.work(1ms, 2ms);
  EXPECT_EQ(guest.wall(), 3s);
}

}  // namespace
}  // namespace hotswap::wasm
