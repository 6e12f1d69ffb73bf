// Node processes that belong to this one: `hotswap up --nodes N`.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

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
    std::string node;
    std::string region;
    std::string gateway;  // URL
    pid_t id = -1;
  };
  NodeProcesses() = default;
  ~NodeProcesses() { stop(); }
  NodeProcesses(const NodeProcesses&) = delete;
  NodeProcesses& operator=(const NodeProcesses&) = delete;

  // Starts all at once and returns when each has said that it serves. `more` are further arguments of each.
  [[nodiscard]] Result<> start(const std::vector<Wish>& wishes, const std::string& control,
                               const std::string& join_token, const std::vector<std::string>& more);
  [[nodiscard]] const std::vector<Running>& running() const noexcept { return running_; }
  // SIGTERM, and waits for their ends.
  void stop();

 private:
  std::vector<Running> running_;
};

}  // namespace hotswap::cli
