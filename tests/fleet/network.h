// Machines on a switch, as network namespaces on a bridge. Needs root.
#pragma once

#include <map>
#include <string>

#include "fleet/processes.h"

namespace hotswap::e2e {

// The thread that makes it, and threads that this one starts, are on the bridge too while it lives: they reach every
// machine, whatever is cut. One at a time.
class Network {
 public:
  // Why there can be none here; "" where there can.
  [[nodiscard]] static std::string why_not();
  // Throws, with what the kernel says, where it refuses.
  Network();
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // A machine of that name, at most eight characters.
  Place add(const std::string& machine);
  // Frames between machines that are cut off are dropped without a word; all others pass.
  void cut_off(const std::string& machine, bool is = true) const;

 private:
  void leave() const;

  int outside_ = -1;  // the network namespace before
  std::string name_;
  std::map<std::string, std::string> ports_;  // on the bridge, by machine
};

}  // namespace hotswap::e2e
