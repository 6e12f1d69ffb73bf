// The options of the commands that run a server.
#pragma once

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>

#include "base/task.h"
#include "cli/context.h"
#include "cli/server.h"

namespace hotswap::cli {

void add_common_options(CLI::App& command, CommonSettings& settings);
void add_control_options(CLI::App& command, ControlSettings& settings);
// `node_name`: of the option for the node's id.
void add_node_options(CLI::App& command, NodeSettings& settings);

// Waits for SIGTERM or Ctrl-C. Made before a server starts, so that no signal is lost.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  void wait();
  // Runs `work` on this thread meanwhile. It must not end by itself; it is cancelled by the signal, and waited for.
  void wait_during(Task<void> work);
  [[nodiscard]] asio::io_context& context();

 private:
  struct Waiting;
  std::unique_ptr<Waiting> waiting_;
};

// Stops the server and says what was cut.
void stop_server(Context& context, RunningServer& server);

}  // namespace hotswap::cli
