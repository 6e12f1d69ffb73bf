// Calls of the module "add", over one connection to each gateway.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fleet/processes.h"

namespace hotswap::e2e {

struct LoadOptions {
  std::chrono::milliseconds pause{0};  // between an answer and the next request of its gateway
  bool until_failure = false;          // the first failure of a gateway is its last request
};

class Load {
 public:
  struct Tally {
    std::map<std::string, int> answered;  // rightly, by version
    std::map<std::string, int> failed;    // with the version where it was the guest's failure; others under ""
    std::string example;                  // the last failure that no version is to blame for
  };
  explicit Load(const std::vector<std::unique_ptr<NodeProcess>>& nodes, LoadOptions options = {});
  // Of gateways, or of a control plane's API, which sends each call on; one connection for each entry.
  explicit Load(std::vector<std::string> gateways, LoadOptions options = {});
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Returns once all in flight have ended.
  Tally stop();

 private:
  std::atomic<bool> stopping_{false};
  std::vector<std::string> gateways_;
  LoadOptions options_;
  Tally tally_;  // of the thread, until it has ended
  std::thread thread_;
};

}  // namespace hotswap::e2e
