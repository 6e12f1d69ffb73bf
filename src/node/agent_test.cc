#include "node/agent.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>

#include "node/test_workload.h"

namespace hotswap::node {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// A control plane of one test: what it publishes is polled, what is reported is kept. Any thread.
class FakeControl final : public ControlLink {
 public:
  explicit FakeControl(asio::any_io_executor home) : changed_(home) {}

  Task<Result<DesiredState>> desired_state(std::int64_t after) override {
    while (down_ == 0 && state_.revision <= after) {
      changed_.expires_at(asio::steady_timer::time_point::max());
      co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (down_ > 0) {
      --down_;
      co_return fail(ErrorKind::kUnavailable, "down");
    }
    co_return state_;
  }
  Task<Result<>> introduce(NodeDescription) override { co_return Result<>{}; }
  Task<Result<ReportReply>> report(NodeReport report) override {
    const std::lock_guard lock(mutex_);
    if (std::exchange(forgetful_, false)) known_ = {};
    (report.after ? in_part_ : whole_) += 1;
    const auto heard = apply(known_, std::move(report));
    if (!heard) co_return std::unexpected(heard.error());
    reports_.push_back(known_);
    reported_.notify_all();
    co_return ReportReply{report_every.load()};
  }
  Task<Result<>> fetch(Digest digest, std::function<Result<>(std::span<const std::byte>)> sink) override {
    ++fetched;
    if (failed_fetches > 0) {
      --failed_fetches;
      co_return fail(fetch_failure, "broken off");
    }
    co_return sink(std::as_bytes(std::span(digest.hex())));
  }
  Task<Result<>> count_invocations(std::vector<InvocationCount> counts) override {
    const std::lock_guard lock(mutex_);
    for (const auto& count : counts) counted_[count.moduleId.str()] += count.count;
    reported_.notify_all();
    co_return Result<>{};
  }

  // On the agent's thread.
  void publish(DesiredState state) {
    state_ = std::move(state);
    changed_.cancel();
  }
  void fail_next_polls(int count) {
    down_ = count;
    changed_.cancel();
  }

  template <class P>
  NodeReport wait_for(P predicate) {
    std::unique_lock lock(mutex_);
    if (!reported_.wait_for(lock, 30s, [&] { return !reports_.empty() && predicate(reports_.back()); })) {
      throw std::runtime_error("the report that the test waits for did not come");
    }
    return reports_.back();
  }
  std::int64_t wait_for_count(const std::string& module) {
    std::unique_lock lock(mutex_);
    reported_.wait_for(lock, 30s, [&] { return counted_.contains(module); });
    return counted_[module];
  }
  std::atomic<int> fetched{0};
  std::atomic<int> failed_fetches{0};
  ErrorKind fetch_failure = ErrorKind::kUnavailable;
  std::atomic<std::int64_t> report_every{60'000};
  // As a control plane that is started anew knows nothing of earlier reports.
  void forget_reports() {
    const std::lock_guard lock(mutex_);
    forgetful_ = true;
  }
  [[nodiscard]] std::pair<int, int> whole_and_in_part() {
    const std::lock_guard lock(mutex_);
    return {whole_, in_part_};
  }
  [[nodiscard]] std::size_t report_count() {
    const std::lock_guard lock(mutex_);
    return reports_.size();
  }

 private:
  asio::steady_timer changed_;
  DesiredState state_{.revision = -1, .versions = {}, .routes = {}};
  int down_ = 0;
  std::mutex mutex_;
  std::condition_variable reported_;
  NodeReport known_;
  bool forgetful_ = false;
  int whole_ = 0;
  int in_part_ = 0;
  std::vector<NodeReport> reports_;  // whole, whatever was sent
  std::map<std::string, std::int64_t> counted_;
};

// Knows no machine code at first; "bad" modules fail to load.
class FakeLoader final : public Loader {
 public:
  [[nodiscard]] bool cached(const Digest&) const override { return pretends_cached; }
  [[nodiscard]] Result<std::shared_ptr<Workload>> load(const DesiredVersion& version, std::string binary) override {
    if (binary.empty()) return fail(ErrorKind::kNotFound, "the cached machine code is unusable");
    if (version.name == "bad") return fail(ErrorKind::kUnprocessable, "cannot be compiled");
    auto made = std::make_shared<TestWorkload>(answer, http);
    const std::lock_guard lock(mutex_);
    last = made;
    return made;
  }
  bool pretends_cached = false;
  std::string answer = "OK";
  bool http = true;
  std::shared_ptr<TestWorkload> last;  // read it after the report that it is ready

 private:
  std::mutex mutex_;
};

class AgentTest : public testing::Test {
 protected:
  AgentTest() { start(); }
  void start() {
    agent_.emplace(home(),
                   AgentOptions{.node = description(),
                                .data = testing::TempDir(),
                                .kept = kept_,
                                .retry = 1ms,
                                .retry_most = 2ms,
                                .count_every = 1ms},
                   AgentParts{control_, loader_, snapshot_, cpu_, clock_, random_, tracer_, metrics_});
    ended_ = asio::co_spawn(home(), agent_->run(), asio::bind_cancellation_slot(cancel_.slot(), asio::use_future));
  }
  void stop() {
    asio::post(home(), [this] { cancel_.emit(asio::cancellation_type::terminal); });
    ended_.get();
    control_.forget_reports();
  }
  ~AgentTest() override {
    stop();
    threads_.stop();
    std::filesystem::remove(kept_);
  }
  static NodeDescription description() {
    NodeDescription node;
    node.nodeId = NodeId("n1");
    node.region = Region("local");
    node.incarnation = "first life";
    return node;
  }

  asio::any_io_executor home() { return threads_.at(0).get_executor(); }
  void publish(DesiredState state) {
    asio::post(home(), asio::use_future([this, state] { control_.publish(state); })).get();
  }
  static DesiredState state(std::int64_t revision, std::vector<DesiredVersion> versions, std::vector<Route> routes) {
    return {.revision = revision, .versions = std::move(versions), .routes = std::move(routes)};
  }
  std::shared_ptr<const RouteTable> table() {
    return asio::post(home(), asio::use_future([this] { return snapshot_.get(); })).get();
  }

  net::IoThreads threads_{2};
  const std::filesystem::path kept_ =
      testing::TempDir() + "kept-" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".json";
  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
  BlockingPool cpu_{"cpu", 2};
  Snapshot snapshot_{threads_};
  FakeLoader loader_;
  FakeControl control_{threads_.at(0).get_executor()};
  std::optional<Agent> agent_;
  asio::cancellation_signal cancel_;
  std::future<void> ended_;
};

auto ready(std::int64_t revision) {
  return [revision](const NodeReport& report) {
    return report.routedRevision == revision && std::ranges::all_of(report.versions, [](const auto& version) {
             return version.state == VersionState::Ready;
           });
  };
}

TEST_F(AgentTest, MakesAVersionReadyRoutesItAndReports) {
  const auto version = desired_version("add", 1);
  publish(state(1, {version}, {}));
  control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_EQ(table()->by_name(version.tenant, "add", 0), nullptr);
  publish(state(2, {version}, {route_to("add", {{version.moduleId, 100}})}));
  const auto report = control_.wait_for(ready(2));
  EXPECT_EQ(report.nodeId, NodeId("n1"));
  EXPECT_NE(table()->by_name(version.tenant, "add", 0), nullptr);
  EXPECT_EQ(control_.fetched, 1);
}

TEST_F(AgentTest, AFailureIsReportedWithItsReason) {
  publish(state(1, {desired_version("bad", 1)}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Failed; });
  EXPECT_EQ(report.versions[0].reason, "cannot be compiled");
}

TEST_F(AgentTest, AnUnusableCacheEntryIsMadeAgainFromTheBinary) {
  loader_.pretends_cached = true;
  publish(state(1, {desired_version("add", 1)}, {}));
  control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_EQ(control_.fetched, 1);
}

TEST_F(AgentTest, ChecksHealthBeforeAVersionIsReady) {
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.successThreshold = 3};
  publish(state(1, {version}, {}));
  control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_EQ(loader_.last->health_checks, 3);
}

TEST_F(AgentTest, AVersionThatAnswersWronglyFailsAfterItsThreshold) {
  loader_.answer = "no";
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.failureThreshold = 2};
  publish(state(1, {version}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Failed; });
  EXPECT_THAT(report.versions[0].reason, HasSubstr("expected OK"));
}

TEST_F(AgentTest, AModuleWithoutAHealthCheckIsReadyAndSaysSo) {
  loader_.answer = "";
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{};
  publish(state(1, {version}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_THAT(report.versions[0].reason, HasSubstr("skipped"));
}

auto checked(std::int64_t number) {
  return [number](const NodeReport& report) {
    return report.versions.size() == 1 && report.versions[0].checkNumber == number;
  };
}

TEST_F(AgentTest, RunsTheHealthCheckAgainForEachNumberThatItIsGiven) {
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.failureThreshold = 1};
  publish(state(1, {version}, {}));
  EXPECT_EQ(control_.wait_for(ready(1)).versions[0].checkNumber, 0);

  version.checkNumber = 7;
  publish(state(2, {version}, {}));
  EXPECT_EQ(control_.wait_for(checked(7)).versions[0].checkFailure, "");
  EXPECT_EQ(loader_.last->health_checks, 2);

  loader_.last->ill = true;
  version.checkNumber = 8;
  publish(state(3, {version}, {}));
  const auto failed = control_.wait_for(checked(8));
  EXPECT_THAT(failed.versions[0].checkFailure, HasSubstr("it is ill"));
  EXPECT_EQ(failed.versions[0].state, VersionState::Ready);

  loader_.last->ill = false;
  version.checkNumber = 9;
  publish(state(4, {version}, {}));
  EXPECT_EQ(control_.wait_for(checked(9)).versions[0].checkFailure, "");
  // The same number, and none, ask for nothing.
  publish(state(5, {version}, {}));
  control_.wait_for(ready(5));
  version.checkNumber = 0;
  publish(state(6, {version}, {}));
  EXPECT_EQ(control_.wait_for(ready(6)).versions[0].checkNumber, 9);
  EXPECT_EQ(loader_.last->health_checks, 4);
}

TEST_F(AgentTest, APreparationAnswersTheCheckThatWasAskedForBeforeItEnded) {
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{};
  version.checkNumber = 5;
  publish(state(1, {version}, {}));
  control_.wait_for([](const NodeReport& r) { return checked(5)(r) && ready(1)(r); });
  EXPECT_EQ(loader_.last->health_checks, 1);
}

TEST_F(AgentTest, AVersionWithoutACheckAnswersAtOnce) {
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.enabled = false};
  publish(state(1, {version}, {}));
  control_.wait_for(ready(1));
  version.checkNumber = 5;
  publish(state(2, {version}, {}));
  EXPECT_EQ(control_.wait_for(checked(5)).versions[0].checkFailure, "");
  EXPECT_EQ(loader_.last->health_checks, 0);
}

TEST_F(AgentTest, AsksAnHttpHandlerForItsPath) {
  auto version = desired_version("site", 1);
  version.healthCheck = HealthCheck{.httpPath = "/health?deep=1", .successThreshold = 2};
  publish(state(1, {version}, {}));
  control_.wait_for(ready(1));
  EXPECT_EQ(loader_.last->asked, "/health?deep=1");
  EXPECT_EQ(loader_.last->health_checks, 2);

  loader_.last->status = 503;
  version.healthCheck->failureThreshold = 1;
  version.checkNumber = 2;
  publish(state(2, {version}, {}));
  EXPECT_THAT(control_.wait_for(checked(2)).versions[0].checkFailure,
              HasSubstr("health check /health?deep=1 failed 1 times: expected status 200, got 503"));
  version.healthCheck->httpStatus = 503;
  version.checkNumber = 3;
  publish(state(3, {version}, {}));
  EXPECT_EQ(control_.wait_for(checked(3)).versions[0].checkFailure, "");
}

TEST_F(AgentTest, AModuleThatServesNoHttpFailsACheckOfAPath) {
  loader_.http = false;
  auto version = desired_version("add", 1);
  version.healthCheck = HealthCheck{.httpPath = "/health", .failureThreshold = 1};
  publish(state(1, {version}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Failed; });
  EXPECT_THAT(report.versions[0].reason, HasSubstr("no HTTP handler"));
}

TEST_F(AgentTest, LetsGoOfWhatIsNoLongerWanted) {
  const auto one = desired_version("add", 1);
  const auto two = desired_version("add", 2);
  publish(state(1, {one, two}, {route_to("add", {{one.moduleId, 100}})}));
  control_.wait_for([](const NodeReport& r) { return ready(1)(r) && r.versions.size() == 2; });
  publish(state(2, {two}, {route_to("add", {{two.moduleId, 100}})}));
  const auto report = control_.wait_for(ready(2));
  EXPECT_EQ(report.versions.size(), 1);
  EXPECT_EQ(table()->by_id(one.tenant, one.moduleId.str()), nullptr);
}

TEST_F(AgentTest, ServesOnWhileTheControlPlaneIsAway) {
  const auto version = desired_version("add", 1);
  publish(state(1, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(1));
  asio::post(home(), asio::use_future([this] { control_.fail_next_polls(3); })).get();
  EXPECT_NE(table()->by_name(version.tenant, "add", 0), nullptr);
  publish(state(2, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(2));
}

TEST_F(AgentTest, ReportsHowOftenAVersionWasCalled) {
  const auto version = desired_version("add", 1);
  publish(state(1, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(1));
  table()->by_name(version.tenant, "add", 0)->meter->requests.add(5);
  EXPECT_EQ(control_.wait_for_count(version.moduleId.str()), 5);
}

TEST_F(AgentTest, ADownloadThatBreaksOffIsTriedAgain) {
  control_.failed_fetches = 3;
  publish(state(1, {desired_version("add", 1)}, {}));
  control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Ready; });
  EXPECT_EQ(control_.fetched, 4);
}

TEST_F(AgentTest, ABinaryThatStaysCorruptFailsItsVersion) {
  control_.fetch_failure = ErrorKind::kUpstream;
  control_.failed_fetches = 100;
  publish(state(1, {desired_version("add", 1)}, {}));
  const auto report = control_.wait_for(
      [](const NodeReport& r) { return r.versions.size() == 1 && r.versions[0].state == VersionState::Failed; });
  EXPECT_EQ(report.versions[0].reason, "broken off");
  EXPECT_EQ(control_.fetched, limits::kCorruptDownloads);
}

TEST_F(AgentTest, KeepsTheOldVersionServingUntilTheOneInItsPlaceIsReady) {
  const auto one = desired_version("add", 1);
  const auto two = desired_version("add", 2);
  publish(state(1, {one}, {route_to("add", {{one.moduleId, 100}})}));
  control_.wait_for(ready(1));
  control_.failed_fetches = 1'000'000;
  publish(state(2, {two}, {route_to("add", {{two.moduleId, 100}})}));
  control_.wait_for([](const NodeReport& r) { return r.routedRevision == 2; });
  ASSERT_NE(table()->by_name(one.tenant, "add", 0), nullptr);
  EXPECT_EQ(table()->by_name(one.tenant, "add", 0)->id, one.moduleId);
  control_.failed_fetches = 0;
  control_.wait_for(ready(2));
  EXPECT_EQ(table()->by_name(one.tenant, "add", 0)->id, two.moduleId);
  EXPECT_EQ(table()->by_id(one.tenant, one.moduleId.str()), nullptr);
}

TEST_F(AgentTest, StartsWithWhatItLastServedWhereTheControlPlaneIsAway) {
  const auto version = desired_version("add", 1);
  publish(state(7, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(7));
  for (const auto until = std::chrono::steady_clock::now() + 30s;
       !std::filesystem::exists(kept_) && std::chrono::steady_clock::now() < until;) {
  }
  stop();
  agent_.reset();
  publish({.revision = -1, .versions = {}, .routes = {}});
  asio::post(home(), asio::use_future([this] {
               control_.fail_next_polls(1'000'000);
               asio::co_spawn(
                   home(), [this]() -> Task<void> { co_await snapshot_.publish(std::make_shared<const RouteTable>()); },
                   asio::detached);
             }))
      .get();
  start();
  asio::co_spawn(home(), agent_->until_settled(), asio::use_future).get();
  EXPECT_NE(table()->by_name(version.tenant, "add", 0), nullptr);
}

TEST_F(AgentTest, ReportsAtThePaceThatTheControlPlaneSets) {
  control_.report_every = 1;
  publish(state(1, {desired_version("add", 1)}, {}));
  control_.wait_for(ready(1));
  const auto before = control_.report_count();
  const auto report = control_.wait_for([&](const NodeReport&) { return true; });
  for (const auto until = std::chrono::steady_clock::now() + 30s;
       control_.report_count() < before + 3 && std::chrono::steady_clock::now() < until;) {
  }
  EXPECT_GE(control_.report_count(), before + 3);
  EXPECT_EQ(report.incarnation, "first life");
  EXPECT_GT(report.health.value_or(NodeHealth{}).memoryUsageMB, 0);
}

TEST_F(AgentTest, ReportsWhatChangedAndEverythingToAControlPlaneThatForgot) {
  const auto one = desired_version("one", 1);
  const auto two = desired_version("two", 2);
  publish(state(1, {one}, {}));
  control_.wait_for(ready(1));
  publish(state(2, {one, two}, {}));
  control_.wait_for([](const NodeReport& r) { return r.routedRevision == 2 && r.versions.size() == 2; });
  EXPECT_EQ(control_.whole_and_in_part().first, 1);
  control_.forget_reports();
  publish(state(3, {two}, {}));
  const auto last = control_.wait_for([](const NodeReport& r) { return r.routedRevision == 3; });
  EXPECT_THAT(last.versions, testing::ElementsAre(testing::Field(&VersionReport::moduleId, two.moduleId)));
  const auto [whole, in_part] = control_.whole_and_in_part();
  EXPECT_EQ(whole, 2);
  EXPECT_GE(in_part, 2);
}

TEST_F(AgentTest, ReportsWhatEachVersionDid) {
  const auto version = desired_version("add", 1);
  control_.report_every = 1;
  publish(state(1, {version}, {route_to("add", {{version.moduleId, 100}})}));
  control_.wait_for(ready(1));
  auto& meter = *table()->by_name(version.tenant, "add", 0)->meter;
  meter.requests.add(2);
  meter.failures.add(1);
  meter.latency.record(0.5);
  meter.latency.record(100);
  const auto report = control_.wait_for([](const NodeReport& r) { return !r.versionMetrics.empty(); });
  const auto& metrics = report.versionMetrics.front();
  EXPECT_EQ(metrics.name, "add");
  EXPECT_EQ(metrics.moduleId, version.moduleId);
  EXPECT_EQ(metrics.requests, 2);
  EXPECT_EQ(metrics.failures, 1);
  ASSERT_EQ(metrics.latency.size(), latency_bounds().size() + 1);
  EXPECT_EQ(metrics.latency.back(), 1);
  EXPECT_DOUBLE_EQ(metrics.latencySeconds, 100.5);
}

TEST_F(AgentTest, ReportsWhatCopiesOfRequestsShowedAndExamplesOfTheShadowThatGoesOn) {
  const auto one = desired_version("add", 1);
  const auto two = desired_version("add", 2);
  control_.report_every = 1;
  auto route = route_to("add", {{one.moduleId, 100}});
  const auto plain = route;
  route.shadow = ShadowRule{.moduleId = two.moduleId, .percent = 100, .ignorePaths = {}, .allowOutbound = false};
  publish(state(1, {one, two}, {route}));
  control_.wait_for(ready(1));
  auto& meter = table()->shadow_of(one.tenant, "add")->version->meter->shadow;
  meter.compared.add(3);
  meter.mismatched.add(1);
  meter.latency.record(100);
  meter.keep({.nodeId = NodeId("n1"), .request = "f", .differs = "d", .live = "1", .shadow = "2", .traceId = "t"});
  const auto report = control_.wait_for([](const NodeReport& r) { return !r.shadowExamples.empty(); });
  EXPECT_EQ(report.shadowExamples[0].moduleId, two.moduleId);
  EXPECT_EQ(report.shadowExamples[0].examples.at(0).request, "f");
  ASSERT_EQ(report.versionMetrics.size(), 1U);
  EXPECT_EQ(report.versionMetrics[0].moduleId, two.moduleId);
  EXPECT_EQ(report.versionMetrics[0].requests, 0);
  ASSERT_TRUE(report.versionMetrics[0].shadow);
  EXPECT_EQ(report.versionMetrics[0].shadow->compared, 3);
  EXPECT_EQ(report.versionMetrics[0].shadow->mismatched, 1);
  EXPECT_EQ(report.versionMetrics[0].shadow->latency.back(), 1);

  publish(state(2, {one, two}, {plain}));
  EXPECT_TRUE(control_.wait_for(ready(2)).shadowExamples.empty());
  publish(state(3, {one, two}, {route}));
  const auto again = control_.wait_for(ready(3));
  EXPECT_TRUE(again.shadowExamples.empty()) << "they were of another try";
  EXPECT_EQ(again.versionMetrics.at(0).shadow.value_or(ShadowMetrics{}).compared, 3) << "counts only grow";
}

}  // namespace
}  // namespace hotswap::node
