// For tests: a node that speaks the node protocol with a control plane of control_fixture.h, and has no sandbox.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <condition_variable>
#include <future>
#include <thread>

#include "control/control_fixture.h"

namespace hotswap::control {

// How a TestNode takes what it is told.
struct Conduct {
  bool makes_ready = true;  // otherwise versions stay in Compiling
  bool routes = true;       // otherwise it never reports newer routes
  std::string fails = {};   // reason with which every new version fails
  std::string ill = {};     // how every later health check fails
  bool checks = true;       // otherwise it never runs a health check again
  bool leaves = false;      // says so
};

// Does what a node does, on a thread of its own: polls, makes versions ready, routes, reports. Checks that it is never
// told to route to a version that it has not reported ready before.
class TestNode {
 public:
  TestNode(Platform& platform, std::string id, std::string region = "local", Conduct conduct = {})
      : id_(std::move(id)), region_(std::move(region)), conduct_(std::move(conduct)) {
    connect(platform);
  }
  ~TestNode() { disconnect(); }
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  // Keeps what it has. The control plane knows the node when this returns.
  void connect(Platform& platform) {
    disconnect();
    app_ = &platform.app();
    context_ = std::make_unique<asio::io_context>();
    asio::co_spawn(*context_, follow(), asio::bind_cancellation_slot(cancel_.slot(), [](std::exception_ptr) {}));
    known_ = std::promise<void>();
    thread_ = std::jthread([this] { context_->run(); });
    known_.get_future().wait();
  }
  void disconnect() {
    if (!context_) return;
    asio::post(*context_, [this] { cancel_.emit(asio::cancellation_type::terminal); });
    thread_.join();
    retire(std::move(context_));
  }
  // Changes its conduct and reports accordingly.
  void behave(Conduct conduct) {
    asio::co_spawn(*context_, adopt(std::move(conduct)), [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  }

  // The same; the control plane has answered the report when this returns.
  void report_as(Conduct conduct) { asio::co_spawn(*context_, adopt(std::move(conduct)), asio::use_future).get(); }

  [[nodiscard]] bool wait(const std::function<bool(const DesiredState&)>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return condition(state_); });
  }
  [[nodiscard]] DesiredState state() {
    const std::lock_guard lock(mutex_);
    return state_;
  }
  [[nodiscard]] bool serves(const std::string& module_id) {
    for (const auto& route : state().routes) {
      for (const auto& version : route.versions) {
        if (version.moduleId.str() == module_id) return true;
      }
    }
    return false;
  }
  // By the reply to its last report.
  [[nodiscard]] bool may_leave() const { return may_leave_; }
  [[nodiscard]] int unready_routes() const { return unready_routes_; }
  [[nodiscard]] int backward_revisions() const { return backward_revisions_; }

 private:
  Task<void> follow() {
    std::ignore = co_await report();
    known_.set_value();
    while ((co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) {
      auto desired = co_await app_->desired_state(NodeId(id_), state_.revision, Region(region_));
      if (!desired) co_return;
      if (desired->revision == state_.revision) continue;
      take(*std::move(desired));
      const auto sent = co_await report();
      if (!sent) co_return;
    }
  }
  void take(DesiredState desired) {
    const std::lock_guard lock(mutex_);
    if (desired.revision < state_.revision) ++backward_revisions_;
    for (const auto& route : desired.routes) {
      for (const auto& version : route.versions) {
        if (!ready_.contains(version.moduleId.str())) ++unready_routes_;
      }
    }
    state_ = std::move(desired);
    std::erase_if(ready_, [this](const std::string& id) {
      return std::ranges::none_of(state_.versions, [&](const auto& version) { return version.moduleId.str() == id; });
    });
    changed_.notify_all();
  }
  Task<Result<>> report() {
    NodeReport report{.nodeId = NodeId(id_), .region = Region(region_), .routedRevision = routed_, .versions = {}};
    report.knownRevision = state_.revision;
    report.leaving = conduct_.leaves;
    report.forwardKey = "key of " + id_;
    if (conduct_.routes) report.routedRevision = routed_ = state_.revision;
    for (const auto& version : state_.versions) {
      VersionReport row{
          .tenant = version.tenant, .moduleId = version.moduleId, .state = VersionState::Compiling, .reason = {}};
      if (ready_.contains(version.moduleId.str())) {
        row.state = VersionState::Ready;
      } else if (!conduct_.fails.empty()) {
        row.state = VersionState::Failed;
        row.reason = conduct_.fails;
      } else if (conduct_.makes_ready) {
        row.state = VersionState::Ready;
        ready_.insert(version.moduleId.str());
        checked_[version.moduleId.str()] = {version.checkNumber, ""};
      }
      if (row.state == VersionState::Ready) {
        auto& [number, failure] = checked_[version.moduleId.str()];
        if (conduct_.checks && version.checkNumber != 0 && version.checkNumber != number) {
          number = version.checkNumber;
          failure = conduct_.ill;
        }
        row.checkNumber = number;
        row.checkFailure = failure;
      }
      report.versions.push_back(std::move(row));
    }
    HS_CO_TRY(const ReportReply reply, co_await app_->report(std::move(report)));
    may_leave_ = reply.mayLeave;
    co_return Result<>{};
  }
  Task<void> adopt(Conduct conduct) {
    conduct_ = std::move(conduct);
    std::ignore = co_await report();
  }

  const std::string id_;
  const std::string region_;
  Conduct conduct_;
  App* app_ = nullptr;
  std::unique_ptr<asio::io_context> context_;
  asio::cancellation_signal cancel_;
  std::jthread thread_;
  std::promise<void> known_;
  std::mutex mutex_;
  std::condition_variable changed_;
  DesiredState state_;
  std::set<std::string> ready_;
  std::map<std::string, std::pair<std::int64_t, std::string>> checked_;  // number and failure of the last check
  std::int64_t routed_ = 0;
  std::atomic<bool> may_leave_{false};
  std::atomic<int> unready_routes_{0};
  std::atomic<int> backward_revisions_{0};
};

}  // namespace hotswap::control
