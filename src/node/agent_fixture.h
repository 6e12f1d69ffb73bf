// For tests of the agent: a control plane and a loader of a test's own, and an agent between them.
#pragma once

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

#include "node/agent.h"
#include "node/test_workload.h"

namespace hotswap::node {

using namespace std::chrono_literals;

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

inline auto ready(std::int64_t revision) {
  return [revision](const NodeReport& report) {
    return report.routedRevision == revision && std::ranges::all_of(report.versions, [](const auto& version) {
             return version.state == VersionState::Ready;
           });
  };
}

}  // namespace hotswap::node
