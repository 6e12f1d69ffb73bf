// Work without end.
#include <optional>
#include <thread>

#include "attack.h"

namespace hotswap::hostile {
namespace {

TEST_F(AttackTest, SpinningEndsAtItsDeadlineWithAndWithoutCallsOfTheHost) {
  deploy("test-guests", {"--timeout", "1", "--cpu", "100"});
  (void)expect_ended("test-guests", "spin", "[]", "Timeout", "maxExecutionTimeSeconds");
  deploy("hostile-preview1", {"--timeout", "1", "--cpu", "100"});
  (void)expect_ended("hostile-preview1", "spin_asking", "[]", "Timeout", "maxExecutionTimeSeconds");
  (void)expect_ended("hostile-preview1", "spin_waiting", "[50000,20000]", "Timeout", "maxExecutionTimeSeconds");
  deploy("hostile-component", {"--timeout", "1", "--cpu", "100"});
  (void)expect_ended("hostile-component", "spin-waiting", "[50000,20000]", "Timeout", "maxExecutionTimeSeconds");
}

// The figures of ./dev bench hostile say how accurate it is; this, that nothing evades it.
TEST_F(AttackTest, WaitingOftenDoesNotEvadeTheCpuPercentage) {
  deploy("hostile-preview1", {"--timeout", "3", "--cpu", "10"});
  for (const std::string params : {"[50000,20000]", "[1,50000]"}) {
    const auto body = expect_ended("hostile-preview1", "spin_waiting", params, "Timeout", "maxExecutionTimeSeconds");
    EXPECT_LT(body.at("cpuMs").to_number<double>(), body.at("durationMs").to_number<double>() / 2) << params;
  }
}

TEST_F(AttackTest, ManySpinningCallsLeaveTheNeighbourItsTurn) {
  deploy("test-guests", {"--timeout", "2", "--cpu", "100", "--concurrency", "8"});
  std::vector<std::thread> attackers;
  for (int i = 0; i < 8; ++i) attackers.emplace_back([&] { (void)execute("test-guests", "spin"); });
  expect_neighbour_served(20);
  for (auto& attacker : attackers) attacker.join();
  EXPECT_EQ(server_.metric(R"(wasm_guest_failures_total{kind="Timeout",node="local"})"), 8);
  EXPECT_GE(server_.metric(R"(wasm_calls_aside_total{node="local"})"), 8);
}

TEST_F(AttackTest, CallsBeyondTheConcurrencyAreRefusedAndCounted) {
  deploy("test-guests", {"--timeout", "5", "--concurrency", "1"});
  // Until the spinning call runs, the others do, and it may be the one that is refused. Only so many refusals are
  // written: the first, which comes before any that the spinning call causes.
  std::optional<Reply> attackers_first;
  std::thread attacker([&] {
    for (auto reply = execute("test-guests", "spin"); reply.status == 429; reply = execute("test-guests", "spin")) {
      if (!attackers_first) attackers_first = reply;
    }
  });
  Reply caused;
  while (caused.status != 429) caused = execute("test-guests", "remember");
  expect_neighbour_served();
  attacker.join();
  EXPECT_GE(server_.metric(R"(wasm_calls_refused_total{kind="TooManyRequests",node="local"})"), 1);
  const std::string trace_id(attackers_first.value_or(caused).body.at("traceId").as_string());
  expect_audited(trace_id, "test-guests", "TooManyRequests", "maxConcurrentInvocations");
  EXPECT_EQ(expect_answered("test-guests", "remember"), 1);
}

TEST_F(AttackTest, AFloodOfFailuresIsCountedAndNotWritten) {
  constexpr int kCalls = 100;
  deploy("test-guests");
  for (int i = 0; i < kCalls; ++i) (void)execute("test-guests", "trap");
  const auto written = server_.metric(R"(wasm_audit_entries_total{node="local"})");
  const auto suppressed = server_.metric(R"(wasm_audit_suppressed_total{node="local"})");
  EXPECT_GT(suppressed, 0);
  EXPECT_EQ(written + suppressed, kCalls);
  EXPECT_LE(static_cast<double>(server_.audit_entries().size()), written);
  expect_neighbour_served();
}

}  // namespace
}  // namespace hotswap::hostile
