#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/trace.h"

namespace hotswap {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;

TEST(ClockTest, TimesAreUtcWithMilliseconds) {
  const auto time = parse_rfc3339("2026-11-21T09:03:42.1239+01:00");
  ASSERT_TRUE(time);
  EXPECT_EQ(to_rfc3339(*time), "2026-11-21T08:03:42.123Z");
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("1969-12-31T23:59:59Z")), "1969-12-31T23:59:59.000Z");
}

TEST(ClockTest, MalformedTimesAreRefused) {
  for (const char* text : {"", "2026-11-21", "2026-02-30T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T00:00:00",
                           "2026-11-21T00:00:00.Z", "2026-11-21T00:00:00Zx", "2026-11-21T00:00:00+1:00"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(ClockTest, AManualClockMovesByHand) {
  ManualClock clock(*parse_rfc3339("2026-01-01T00:00:00Z"));
  const auto before = clock.steady();
  clock.advance(1500ms);
  EXPECT_EQ(to_rfc3339(clock.now()), "2026-01-01T00:00:01.500Z");
  EXPECT_EQ(clock.steady() - before, 1500ms);
}

// RFC 4231, test cases 2 and 6.
TEST(DigestTest, HmacSha256IsAsTheStandardShows) {
  EXPECT_EQ(hmac_sha256("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(DigestTest, IsSha256AndIncremental) {
  EXPECT_EQ(Sha256::of("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  hash.update("a");
  hash.update("bc");
  EXPECT_EQ(hash.finish(), Sha256::of("abc"));
  EXPECT_EQ(Digest::parse(Sha256::of("abc").hex()), Sha256::of("abc"));
  EXPECT_FALSE(Digest::parse("ABC"));
  EXPECT_FALSE(Digest::parse(std::string(63, 'a')));
}

TEST(IdTest, UuidsAreVersionFourAndFollowTheirSource) {
  SeededRandom one(7);
  SeededRandom same(7);
  const std::string id = new_uuid(one);
  EXPECT_EQ(id, new_uuid(same));
  EXPECT_NE(id, new_uuid(one));
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  SystemRandom random;
  std::set<std::uint64_t> drawn;
  for (int i = 0; i < 100; ++i) drawn.insert(random.next());
  EXPECT_EQ(drawn.size(), 100);
}

TEST(ResultTest, ManyFailuresBecomeOneErrorThatListsThem) {
  const Error error = fail_fields({{"name", "is required"}, {"version", "is malformed"}}).error();
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  EXPECT_EQ(error.detail, "name: is required; version: is malformed");
  EXPECT_EQ(http_status(ErrorKind::kInvalid), 400);
  EXPECT_EQ(http_status(ErrorKind::kDeadline), 504);
  EXPECT_EQ(title(ErrorKind::kConflict), "Conflict");
  EXPECT_EQ(slug(ErrorKind::kTooManyRequests), "too-many-requests");
}

TEST(TraceTest, ReadsAndWritesTraceparent) {
  const std::string header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto context = parse_traceparent(header);
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(context->trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->traceparent(), header);
  for (const char* bad : {"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                          "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"}) {
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
}

TEST(TraceTest, SpansFormATreeAndKeepTheirAttributes) {
  ManualClock clock(*parse_rfc3339("2026-01-01T00:00:00Z"));
  SeededRandom random(1);
  Tracer tracer(clock, random);
  {
    Span parent = tracer.start("wasm.deployment.execute", tracer.root(true));
    {
      Span child = tracer.start("wasm.module.load", parent.context());
      child.attribute("moduleId", "add-v1.0.0");
      child.fail();
      clock.advance(5ms);
    }
    Span moved = std::move(parent);
  }
  const auto spans = tracer.snapshot();
  ASSERT_EQ(spans.size(), 2);
  EXPECT_EQ(spans[0].name, "wasm.module.load");
  EXPECT_EQ(spans[0].parent_span, spans[1].context.span);
  EXPECT_EQ(spans[0].context.trace_id(), spans[1].context.trace_id());
  EXPECT_EQ(spans[0].duration, 5ms);
  EXPECT_TRUE(spans[0].failed);
  EXPECT_EQ(spans[0].attributes.at(0).second, "add-v1.0.0");
}

TEST(TraceTest, UnsampledSpansCarryTheContextAndRecordNothing) {
  const SystemClock clock;
  SeededRandom random(1);
  Tracer tracer(clock, random);
  const auto root = tracer.root(false);
  EXPECT_EQ(tracer.start("wasm.function.invoke", root).context(), root);
  EXPECT_TRUE(tracer.snapshot().empty());
}

TEST(TraceTest, TheRingKeepsTheNewest) {
  const SystemClock clock;
  SeededRandom random(1);
  Tracer tracer(clock, random);
  for (std::size_t i = 0; i < limits::kSpansKept + 3; ++i)
    (void)tracer.start("wasm.function.invoke", tracer.root(true));
  EXPECT_EQ(tracer.snapshot().size(), limits::kSpansKept);
}

TEST(MetricsTest, ExposesEveryKindInThePrometheusFormat) {
  Metrics metrics;
  metrics.counter("wasm.functions.invoked.total", "Calls", {{"node", "a"}}).add(3);
  EXPECT_EQ(&metrics.counter("wasm.functions.invoked.total", "Calls", {{"node", "a"}}),
            &metrics.counter("wasm.functions.invoked.total", "Calls", {{"node", "a"}}));
  auto& gauge = metrics.gauge("wasm.modules.count", "Modules");
  gauge.set(2);
  gauge.add(0.5);
  auto& histogram = metrics.histogram("wasm.module.load.duration", "Seconds", {0.1, 1});
  for (const double value : {0.05, 0.5, 5.0}) histogram.record(value);
  const std::string text = metrics.expose();
  EXPECT_THAT(text, HasSubstr("# TYPE wasm_functions_invoked_total counter"));
  EXPECT_THAT(text, HasSubstr("wasm_functions_invoked_total{node=\"a\"} 3"));
  EXPECT_THAT(text, HasSubstr("wasm_modules_count 2.5"));
  EXPECT_THAT(text, HasSubstr("wasm_module_load_duration_bucket{le=\"1\"} 2"));
  EXPECT_THAT(text, HasSubstr("wasm_module_load_duration_bucket{le=\"+Inf\"} 3"));
  EXPECT_THAT(text, HasSubstr("wasm_module_load_duration_sum 5.55"));
  EXPECT_THROW((void)metrics.histogram("x", "x", {2, 1}), std::invalid_argument);
}

TEST(MetricsTest, CountsFromManyThreads) {
  Metrics metrics;
  auto& counter = metrics.counter("n", "n");
  auto& histogram = metrics.histogram("h", "h", latency_bounds());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        counter.add();
        histogram.record(0.001);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 4000);
  EXPECT_EQ(histogram.count(), 4000);
  EXPECT_FALSE(size_bounds().empty());
}

TEST(LogTest, AnEventIsOneLineOfJson) {
  testing::internal::CaptureStderr();
  log::set_level(log::Level::Info);
  log::debug("not written", "");
  log::error("module failed", "abc", {{"moduleId", "add-v1.0.0"}, {"tries", 3}});
  const auto line = testing::internal::GetCapturedStderr();
  const auto value = boost::json::parse(line).as_object();
  EXPECT_EQ(value.at("message"), "module failed");
  EXPECT_EQ(value.at("level"), "Error");
  EXPECT_EQ(value.at("traceId"), "abc");
  EXPECT_EQ(value.at("tries"), 3);
  EXPECT_TRUE(parse_rfc3339(value.at("timestamp").as_string()));
}

TEST(BlockingPoolTest, WorkLeavesTheThreadAndItsResultComesBack) {
  BlockingPool pool("test", 2);
  asio::io_context io;
  std::thread::id worker;
  std::thread::id after;
  auto future = asio::co_spawn(
      io,
      [&]() -> Task<int> {
        const int value = co_await pool.run([&] {
          worker = std::this_thread::get_id();
          return 42;
        });
        after = std::this_thread::get_id();
        co_return value;
      },
      asio::use_future);
  io.run();
  EXPECT_EQ(future.get(), 42);
  EXPECT_NE(worker, std::this_thread::get_id());
  EXPECT_EQ(after, std::this_thread::get_id());
}

TEST(BlockingPoolTest, BeginsWorkInTheOrderOfAsking) {
  BlockingPool pool("test", 1);
  asio::io_context io;
  std::vector<int> order;
  for (int i = 0; i < 10; ++i) {
    asio::co_spawn(io, pool.run([&order, i] { order.push_back(i); }), asio::detached);
  }
  io.run();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(BlockingPoolTest, MayRunInTheBackground) {
  const auto niceness = [](BlockingPool& pool) {
    asio::io_context io;
    auto asked = asio::co_spawn(io, pool.run([] { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())); }),
                                asio::use_future);
    io.run();
    return asked.get();
  };
  BlockingPool plain("test", 1);
  BlockingPool background("test", 1, BlockingPool::Priority::kBackground);
  EXPECT_EQ(niceness(plain), ::getpriority(PRIO_PROCESS, 0));
  EXPECT_EQ(niceness(background), 19);
}

TEST(BlockingPoolTest, TellsTheTimeThatItsThreadsHadOnCores) {
  BlockingPool pool("test", 2);
  constexpr auto kWork = 20ms;
  const auto before = pool.cpu_time();
  asio::io_context io;
  asio::co_spawn(io, pool.run([&] {
    while (pool.cpu_time() < before + kWork) {
    }
  }),
                 asio::detached);
  io.run();
  EXPECT_GE(pool.cpu_time(), before + kWork);
}

TEST(BlockingPoolTest, AnExceptionReachesWhoeverAwaits) {
  BlockingPool pool("test", 1);
  asio::io_context io;
  auto future = asio::co_spawn(
      io, [&]() -> Task<void> { co_await pool.run([]() -> void { throw std::runtime_error("no"); }); },
      asio::use_future);
  io.run();
  EXPECT_THROW(future.get(), std::runtime_error);
}

}  // namespace
}  // namespace hotswap
