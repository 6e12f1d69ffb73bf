// Which node a request goes to: of two at random the one with fewer requests in flight. A node that fails is left out
// for a while, and then comes back little by little.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "model/node.h"

namespace hotswap::forward {

// Belongs to one thread, which sees its own requests only: enough to tell a busy node from an idle one.
class Balancer {
 public:
  Balancer(const Clock& clock, Random& random) : clock_(clock), random_(random) {}

  // Nullptr where there is none but `except`. Where all are left out for their failures, all are candidates again:
  // a request is rather tried than refused.
  [[nodiscard]] const Peer* choose(std::span<const Peer> peers, const NodeId* except = nullptr);

  void began(const NodeId& node) { ++nodes_[node].in_flight; }
  // `failed`: the node could not be reached, or broke off.
  void ended(const NodeId& node, bool failed);

 private:
  struct Node {
    int in_flight = 0;
    int failures = 0;  // in a row
    std::optional<SteadyPoint> back_at;
  };
  [[nodiscard]] bool admitted(const NodeId& id);
  [[nodiscard]] int in_flight(const NodeId& id) const;

  const Clock& clock_;
  Random& random_;
  std::map<NodeId, Node> nodes_;
};

}  // namespace hotswap::forward
