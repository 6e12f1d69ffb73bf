// Calls of the module "add" without a pause, over one connection to each gateway.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fleet/processes.h"

namespace hotswap::e2e {

class Load {
 public:
  struct Tally {
    std::map<std::string, int> answered;  // rightly, by version
    std::map<std::string, int> failed;    // with the version where it was the guest's failure; others under ""
    std::string example;                  // the last failure that no version is to blame for
  };
  explicit Load(const std::vector<std::unique_ptr<NodeProcess>>& nodes);
  // Of gateways, or of a control plane's API, which sends each call on; one connection for each entry.
  explicit Load(std::vector<std::string> origins);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Returns once all in flight have ended.
  Tally stop();

 private:
  void start();

  std::atomic<bool> stopping_{false};
  std::vector<std::string> gateways_;
  Tally tally_;  // of the thread, until it has ended
  std::thread thread_;
};

}  // namespace hotswap::e2e
