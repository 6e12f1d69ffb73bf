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
  TestNode(Platform& platform, std::string id, std::string region = "local", Conduct conduct = {});
  ~TestNode() { disconnect(); }
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  // Keeps what it has. The control plane knows the node when this returns.
  void connect(Platform& platform);
  void disconnect();
  // Changes its conduct and reports accordingly.
  void behave(Conduct conduct);

  // The same; the control plane has answered the report when this returns.
  void report_as(Conduct conduct) { asio::co_spawn(*context_, adopt(std::move(conduct)), asio::use_future).get(); }

  [[nodiscard]] bool wait(const std::function<bool(const DesiredState&)>& condition);
  [[nodiscard]] DesiredState state();
  [[nodiscard]] bool serves(const std::string& module_id);
  // By the reply to its last report.
  [[nodiscard]] bool may_leave() const { return may_leave_; }
  [[nodiscard]] int unready_routes() const { return unready_routes_; }
  [[nodiscard]] int backward_revisions() const { return backward_revisions_; }

 private:
  Task<void> follow();
  void take(DesiredState desired);
  Task<Result<>> report();
  Task<void> adopt(Conduct conduct);

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
