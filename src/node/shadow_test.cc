// Copies on real I/O threads, to workloads that do what a test says.
#include "node/shadow.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>

#include "base/limits.h"
#include "node/test_workload.h"

namespace hotswap::node {
namespace {

using testing::ElementsAre;

const TenantId kTenant("default");

// The version under test. Everything that it counts may be read once the Shadows are idle or stopped.
class UnderTest final : public Workload {
 public:
  enum class How { answer, refuse, wait, busy };
  Task<Result<CallOutcome>> invoke(FunctionCall call, net::Exchange* watch) override {
    ++begun;
    effects = call.effects;
    if (how == How::busy) co_return fail(ErrorKind::kTooManyRequests, "busy");
    if (how == How::refuse) co_return fail(ErrorKind::kNotFound, "no such function");
    CallOutcome outcome{.failure = {},
                        .value = std::string(call.params),
                        .message = {},
                        .backtrace = {},
                        .stdout_text = {},
                        .stderr_text = {},
                        .usage = {}};
    if (how == How::wait) {
      co_await watch->peer_gone();
      outcome.failure = GuestFailure::Cancelled;
    }
    co_return outcome;
  }
  Task<Result<CallOutcome>> serve(net::Exchange& exchange, HttpCall call) override {
    effects = call.effects;
    std::string seen = std::string(exchange.method()) + ' ' + std::string(exchange.target().substr(call.prefix_size));
    seen += ' ' + std::string(exchange.header(net::http::field::host)) + ' ';
    seen += exchange.buffered_body();
    std::ignore = co_await exchange.reply(201, "text/plain", seen);
    co_return CallOutcome{
        .failure = {}, .value = {}, .message = {}, .backtrace = {}, .stdout_text = {}, .stderr_text = {}, .usage = {}};
  }
  [[nodiscard]] bool serves_http() const noexcept override { return true; }

  How how = How::answer;
  std::atomic<int> begun{0};
  std::atomic<Effects> effects{Effects::all};
};

class ShadowTest : public testing::Test {
 protected:
  ShadowTest() {
    const auto one = desired_version("m", 1);
    const auto two = desired_version("m", 2);
    live_ = std::make_shared<ReadyVersion>(one.tenant, one.moduleId, std::make_shared<TestWorkload>("one"));
    shadow_ = std::make_shared<ReadyVersion>(two.tenant, two.moduleId, under_test_);
    route(100);
  }
  ~ShadowTest() override { stop(); }

  void route(int percent, bool outbound = false, std::vector<std::string> ignored = {}) {
    DesiredState desired{.revision = 1, .versions = {}, .routes = {route_to("m", {{live_->id, 100}})}};
    desired.routes[0].shadow = ShadowRule{
        .moduleId = shadow_->id, .percent = percent, .ignorePaths = std::move(ignored), .allowOutbound = outbound};
    table_ = RouteTable::build(desired, {live_, shadow_}, NodeId("n"));
  }
  [[nodiscard]] const ShadowRoute* shadowed() const { return table_->shadow_of(kTenant, "m"); }
  [[nodiscard]] ShadowCopy call(std::string params, std::string live) const {
    return {.table = table_,
            .route = shadowed(),
            .request = CopiedCall{.function = "f", .params = std::move(params), .trace = {}},
            .live = {.content = Content(live)}};
  }
  // On the I/O thread, one after the other, before any of them runs.
  void run(std::same_as<ShadowCopy> auto... copies) {
    std::vector<ShadowCopy> all;
    (all.push_back(std::move(copies)), ...);
    run_all(std::move(all));
  }
  void run_all(std::vector<ShadowCopy> copies) {
    asio::co_spawn(
        threads_.at(0),
        [](Shadows& shadows, std::vector<ShadowCopy> all) -> Task<void> {
          for (auto& copy : all) shadows.run(std::move(copy));
          co_return;
        }(shadows_, std::move(copies)),
        asio::use_future)
        .get();
  }
  // Waits on the I/O thread, turn by turn, for what copies do there.
  void until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      asio::co_spawn(threads_.at(0), []() -> Task<void> { co_return; }, asio::use_future).get();
    }
  }
  void stop() {
    if (std::exchange(stopped_, true)) return;
    asio::co_spawn(threads_.at(0), shadows_.stop(), asio::use_future).get();
  }
  [[nodiscard]] ShadowMeter& meter() const { return shadow_->meter->shadow; }

  std::shared_ptr<UnderTest> under_test_ = std::make_shared<UnderTest>();
  std::shared_ptr<ReadyVersion> live_;
  std::shared_ptr<ReadyVersion> shadow_;
  std::shared_ptr<const RouteTable> table_;
  Metrics metrics_;
  net::IoThreads threads_{1};
  Shadows shadows_{threads_, NodeId("n"), metrics_};
  bool stopped_ = false;
};

TEST_F(ShadowTest, CopiesAreComparedAndCounted) {
  run(call("[1]", "[1]"), call("[2]", "[3]"));
  until([&] { return meter().compared.value() == 2; });
  stop();
  EXPECT_EQ(meter().mismatched.value(), 1U);
  EXPECT_EQ(meter().dropped.value(), 0U);
  EXPECT_EQ(meter().latency.count(), 2U);
  EXPECT_EQ(meter().live_latency.count(), 2U);
  EXPECT_EQ(shadow_->meter->requests.value(), 0U) << "a copy is no request";
  const auto examples = meter().examples();
  ASSERT_EQ(examples.size(), 1U);
  EXPECT_EQ(summary(examples[0]), "f (returnValue at /0): 3 became 2");
  EXPECT_EQ(examples[0].nodeId, NodeId("n"));
}

TEST_F(ShadowTest, WhatIsIgnoredIsNoMismatch) {
  route(100, false, {"/at"});
  run(call(R"({"at":1})", R"({"at":2})"));
  until([&] { return meter().compared.value() == 1; });
  EXPECT_EQ(meter().mismatched.value(), 0U);
}

TEST_F(ShadowTest, ACopyHasNoEffectsUnlessItsRouteLetsItCallOut) {
  run(call("1", "1"));
  until([&] { return meter().compared.value() == 1; });
  EXPECT_EQ(under_test_->effects, Effects::none);
  route(100, true);
  run(call("1", "1"));
  until([&] { return meter().compared.value() == 2; });
  EXPECT_EQ(under_test_->effects, Effects::outbound);
}

TEST_F(ShadowTest, WhatFindsNoRoomIsDroppedAndTheRestWaitsItsTurn) {
  constexpr std::size_t kMore = 7;
  std::vector<ShadowCopy> many;
  for (std::size_t i = 0; i < limits::kShadowCopiesWaiting + kMore; ++i) many.push_back(call("1", "1"));
  run_all(std::move(many));
  until([&] { return meter().compared.value() == limits::kShadowCopiesWaiting; });
  EXPECT_EQ(meter().dropped.value(), kMore);
}

TEST_F(ShadowTest, ABoundedNumberRunsAtOnce) {
  under_test_->how = UnderTest::How::wait;
  std::vector<ShadowCopy> many;
  for (std::size_t i = 0; i < 3 * limits::kShadowCopiesRunning; ++i) many.push_back(call("1", "1"));
  run_all(std::move(many));
  until([&] { return under_test_->begun == static_cast<int>(limits::kShadowCopiesRunning); });
  stop();  // ends those that wait for ever
  EXPECT_EQ(under_test_->begun, static_cast<int>(limits::kShadowCopiesRunning));
  EXPECT_EQ(meter().compared.value(), 0U);
}

TEST_F(ShadowTest, ANodeWithoutRoomSaysNothingAboutTheVersion) {
  under_test_->how = UnderTest::How::busy;
  run(call("1", "1"));
  until([&] { return meter().dropped.value() == 1; });
  EXPECT_EQ(meter().compared.value(), 0U);
}

TEST_F(ShadowTest, AVersionThatRefusesTheCallMismatches) {
  under_test_->how = UnderTest::How::refuse;
  run(call("1", "1"));
  until([&] { return meter().mismatched.value() == 1; });
  EXPECT_EQ(summary(meter().examples().at(0)), "f (answer): success became refused: no such function");
}

TEST_F(ShadowTest, AfterTheStopNothingIsCopied) {
  stop();
  run(call("1", "1"));
  EXPECT_EQ(meter().dropped.value(), 1U);
  EXPECT_EQ(under_test_->begun, 0);
}

TEST_F(ShadowTest, TakesItsShareOfTheOthersRequests) {
  int taken = 0;
  route(25);
  for (int i = 0; i < 4000; ++i) taken += Shadows::takes(*shadowed(), *live_) ? 1 : 0;
  EXPECT_GT(taken, 700);
  EXPECT_LT(taken, 1300);
  route(100);
  EXPECT_TRUE(Shadows::takes(*shadowed(), *live_));
  EXPECT_FALSE(Shadows::takes(*shadowed(), *shadow_)) << "it needs no copy of its own requests";
}

net::LocalRequest request(std::string body = {}) {
  net::LocalRequest made{.method = "POST",
                         .target = "/m/x?y=1",
                         .headers = {},
                         .body = std::move(body),
                         .trailers = {},
                         .peer = {},
                         .trace = {.trace_high = 1, .trace_low = 2, .span = 3}};
  made.headers.set(net::http::field::host, "example.org");
  return made;
}

TEST_F(ShadowTest, AnHttpRequestIsCopiedWithItsHeadAndBody) {
  ShadowCopy copy{.table = table_,
                  .route = shadowed(),
                  .request = CopiedHttp{.request = request("bytes"), .prefix_size = 2},
                  .live = {.status = 201, .content = Content("POST /x?y=1 example.org bytes")}};
  ShadowCopy other{.table = table_,
                   .route = shadowed(),
                   .request = CopiedHttp{.request = request(), .prefix_size = 2},
                   .live = {.status = 200, .content = Content("x")}};
  run(std::move(copy));
  until([&] { return meter().compared.value() == 1; });
  EXPECT_EQ(meter().mismatched.value(), 0U);
  run(std::move(other));
  until([&] { return meter().compared.value() == 2; });
  EXPECT_EQ(under_test_->effects, Effects::none);
  ASSERT_EQ(meter().mismatched.value(), 1U);
  EXPECT_EQ(summary(meter().examples().at(0)), "POST /m/x (status): 200 became 201");
}

// A live exchange, as far as a recording needs one.
class Recording : public testing::Test {
 protected:
  template <class T>
  T await(Task<T> task) {
    auto future = asio::co_spawn(io_, std::move(task), asio::use_future);
    io_.restart();
    io_.run();
    return future.get();
  }
  void send(const std::string& body) {
    request_ = request(body);
    live_.emplace(io_.get_executor(), request_, std::chrono::seconds(1));
    recorded_.emplace(*live_);
  }
  asio::io_context io_{1};
  net::LocalRequest request_;
  std::optional<CopiedExchange> live_;
  std::optional<RecordingExchange> recorded_;
};

TEST_F(Recording, KeepsWhatWasReadAndReplied) {
  send("0123456789");
  std::array<std::byte, 4> first;
  EXPECT_EQ(await(recorded_->read_some(first)), 4U);
  EXPECT_EQ(recorded_->request(), std::nullopt) << "not read to its end";
  EXPECT_EQ(recorded_->buffered_body(), "456789");
  std::ignore = await(recorded_->begin(202, {}, std::nullopt));
  for (const std::string_view piece : {"a", "b"}) {
    std::ignore = await(recorded_->write(std::as_bytes(std::span(piece))));
  }
  std::ignore = await(recorded_->finish({}));
  const auto copied = recorded_->request();
  ASSERT_TRUE(copied);
  EXPECT_EQ(copied->method, "POST");
  EXPECT_EQ(copied->target, "/m/x?y=1");
  EXPECT_EQ(copied->body, "0123456789");
  EXPECT_EQ(copied->headers[net::http::field::host], "example.org");
  EXPECT_EQ(copied->trace, request_.trace);
  const auto answer = recorded_->take_answer();
  EXPECT_EQ(answer.status, 202U);
  ASSERT_NE(answer.content.text(), nullptr);
  EXPECT_EQ(*answer.content.text(), "ab");
  const auto passed_on = live_->take_answer();
  EXPECT_EQ(passed_on.status, 202U);
  EXPECT_TRUE(passed_on.content.same(answer.content));
}

TEST_F(Recording, ReadsWhatTheHandlerLeftOfTheBody) {
  send("0123456789");
  std::array<std::byte, 4> first;
  std::ignore = await(recorded_->read_some(first));
  std::ignore = await(recorded_->reply(200, "", "", {}));
  await(recorded_->read_rest());
  ASSERT_TRUE(recorded_->request());
  EXPECT_EQ(recorded_->request()->body, "0123456789");
}

TEST_F(Recording, OfABodyBeyondTheBoundIsNone) {
  send(std::string(limits::kShadowBodyBytes + 1, 'x'));
  EXPECT_EQ(await(recorded_->read_all(limits::kMiB))->size(), limits::kShadowBodyBytes + 1);
  EXPECT_EQ(recorded_->request(), std::nullopt);
}

}  // namespace
}  // namespace hotswap::node
