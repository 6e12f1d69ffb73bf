// Node processes that belong to this one: `hotswap up --nodes N`.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"

namespace hotswap::cli {

// Each is `hotswap node …` run by the same program. They end with this object, and with this process however it ends.
// Made and used on the main thread: the kernel ends a child with the thread that made it.
class NodeProcesses {
 public:
  struct Wish {
    std::string node;
    std::string region;
    std::string zone;
    std::string gateway;
    std::filesystem::path data;
  };
  struct Running {
    Wish wish;
    std::string gateway{};  // URL; empty until it has said that it serves
    pid_t id = -1;          // -1: it ended by itself, and is started again before long
    int out = -1;           // its standard output, which ends with it
    bool ending = false;    // it was told to
  };
  // `control` is the URL of the control plane's API; `more` are further arguments of each.
  struct Common {
    std::string control;
    std::string join_token;
    std::vector<std::string> more;
  };
  explicit NodeProcesses(Common common) : common_(std::move(common)) {}
  ~NodeProcesses() { stop(); }
  NodeProcesses(const NodeProcesses&) = delete;
  NodeProcesses& operator=(const NodeProcesses&) = delete;

  // Starts all at once and returns when each has said that it serves.
  [[nodiscard]] Result<> start(const std::vector<Wish>& wishes);
  // Starts one, while others run. Where it fails the process has been ended.
  Task<Result<>> add(Wish wish);
  // SIGTERM to one, and waits for its end: requests in flight end first.
  Task<Result<>> end(std::string node);
  // In the order in which they were started.
  [[nodiscard]] const std::vector<Running>& running();
  // Starts those again that ended by themselves, at the same address and with the same data: at once the first time,
  // and after pauses that grow while one goes on ending. Until it is cancelled.
  Task<void> keep_running();
  // SIGTERM to all, and waits for their ends.
  void stop();

 private:
  // How often one ended soon after its start.
  struct Ends {
    int in_a_row = 0;
    std::chrono::steady_clock::time_point last_start;
    std::chrono::steady_clock::time_point due;
  };
  Result<> spawn(Wish wish);
  void forget(const std::string& node);
  void note_ends();
  void ended_by_itself(const std::string& node);

  Common common_;
  std::vector<Running> running_;
  std::map<std::string, Ends> ends_;  // by node
};

}  // namespace hotswap::cli
