// `hotswap up --nodes N --max-nodes M`: starts and stops node processes as the control plane decides.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "cli/node_processes.h"
#include "cli/server.h"

namespace hotswap::cli {

// Decisions on their way from the control plane's thread to the one that starts and stops processes.
class ScalingInbox {
 public:
  explicit ScalingInbox(asio::io_context& home) : home_(home), arrived_(home, asio::steady_timer::time_point::max()) {}

  // From any thread, while the context lives. The inbox must be held by a shared_ptr.
  static void post(const std::shared_ptr<ScalingInbox>& inbox, ScalingEvent event);
  Task<ScalingEvent> next();

 private:
  asio::io_context& home_;
  asio::steady_timer arrived_;  // cancelled by each arrival
  std::deque<ScalingEvent> events_;
};

// One decision after the other, on one thread. A node that goes is drained first, ended by SIGTERM, and forgotten with
// its data; the one that was started last goes first. Nothing is started beyond the region's maximum, nor stopped
// beyond its minimum: the control plane counts what reports, this what it started.
class NodeScaling {
 public:
  struct Bounds {
    std::size_t minimum = 1;
    std::size_t maximum = 1;
  };
  struct Plan {
    std::function<Bounds(const std::string& region)> bounds;
    // A node that is not running yet.
    std::function<NodeProcesses::Wish(const std::string& region, const std::vector<NodeProcesses::Running>&)> wish;
  };
  NodeScaling(ControlServer& control, NodeProcesses& processes, Plan plan)
      : control_(control), processes_(processes), plan_(std::move(plan)) {}

  // Until it is cancelled.
  Task<void> run(std::shared_ptr<ScalingInbox> inbox);

 private:
  Task<Result<>> start_one(std::string region);
  Task<Result<>> stop_one(std::string region);
  [[nodiscard]] std::size_t count(const std::string& region);

  ControlServer& control_;
  NodeProcesses& processes_;
  Plan plan_;
};

}  // namespace hotswap::cli
