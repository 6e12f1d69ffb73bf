// Node processes that belong to this one: `hotswap up --nodes N`.
#pragma once

#include <sys/types.h>

#include <filesystem>
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
    pid_t id = -1;
    int out = -1;  // its standard output, which ends with it
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
  // In the order in which they were started; without those that ended by themselves.
  [[nodiscard]] const std::vector<Running>& running();
  // SIGTERM to all, and waits for their ends.
  void stop();

 private:
  Result<> spawn(Wish wish);
  void forget(const std::string& node);

  Common common_;
  std::vector<Running> running_;
};

}  // namespace hotswap::cli
