#include "node/machine.h"

#include <gtest/gtest.h>

namespace hotswap::node {
namespace {

TEST(MachineFigures, ProcessorTimeIsBusyUnlessIdleOrWaiting) {
  const auto times = parse_stat("cpu  100 5 50 800 40 3 2 0 70 0\ncpu0 1 1 1 1\n");
  ASSERT_TRUE(times);
  EXPECT_EQ(times->all, 1000U);
  EXPECT_EQ(times->busy, 160U);
  EXPECT_FALSE(parse_stat("intr 1 2 3"));
  EXPECT_FALSE(parse_stat(""));
}

TEST(MachineFigures, MemoryIsReadByName) {
  const auto memory = parse_meminfo("MemTotal:  2048 kB\nMemFree: 7 kB\nMemAvailable: 512 kB\nHugePages_Total: 0\n");
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->total_kib, 2048);
  EXPECT_EQ(memory->available_kib, 512);
}

TEST(MachineFigures, NetworkLeavesTheLoopbackOut) {
  EXPECT_EQ(parse_net_dev("Inter-| Receive | Transmit\n face |bytes packets\n"
                          "    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n"
                          "  eth0: 100 1 0 0 0 0 0 0 23 1 0 0 0 0 0 0\n"),
            123U);
}

TEST(MachineFigures, ComeFromThisMachine) {
  const SystemClock clock;
  Machine machine(clock, "/");
  const auto health = machine.sample();
  EXPECT_GT(health.memoryUsageMB, 0);
  EXPECT_EQ(health.cpuUsagePercent, 0);
  EXPECT_FALSE(health.processCpuPercent);
  const auto hard = hardware("/");
  EXPECT_GT(hard.cpuCores, 0);
  EXPECT_GT(hard.totalMemoryMB, 0);
  EXPECT_EQ(hard.operatingSystem, "Linux");
}

TEST(MachineFigures, RatesAreOfAWindowWorthTheName) {
  ManualClock clock{TimePoint()};
  Machine machine(clock, "/");
  std::ignore = machine.sample();
  // Whatever this process used of its processors, by a clock on which no time or hardly any has passed.
  const std::clock_t begun = std::clock();
  while (std::clock() - begun < CLOCKS_PER_SEC / 50) {
  }
  clock.advance(limits::kRateWindow);
  const auto busy = machine.sample();
  ASSERT_TRUE(busy.processCpuPercent);
  EXPECT_GT(*busy.processCpuPercent, 0);
  EXPECT_LE(*busy.processCpuPercent, 100);
  clock.advance(limits::kRateWindow / 2);
  EXPECT_EQ(machine.sample().processCpuPercent, busy.processCpuPercent);
  clock.advance(std::chrono::hours(1));
  const auto idle = machine.sample();
  ASSERT_TRUE(idle.processCpuPercent);
  EXPECT_LT(*idle.processCpuPercent, *busy.processCpuPercent);
}

}  // namespace
}  // namespace hotswap::node
