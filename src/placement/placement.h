// Which nodes of a region hold which modules. Pure: values in, values out.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/id.h"
#include "model/desired_state.h"

namespace hotswap::placement {

// A node that copies may be placed on: alive, enabled and not draining.
struct Candidate {
  NodeId id;
  std::string zone;          // may be empty
  std::size_t capacity = 0;  // versions that it holds at most
};

// What is placed together: all versions of a name, so that a swap exchanges them in place.
struct Item {
  RouteKey key;
  int replicas = 0;          // 1–3; 0 = on every node
  std::size_t versions = 1;  // that a copy takes up
};

using Assignment = std::map<RouteKey, std::vector<NodeId>>;  // nodes sorted

// By rendezvous hashing: a node more or less changes only the copies that it wins or loses. Zones that hold no copy yet
// come first, then the node with the highest score that has room. Where there is room for fewer copies than wished,
// there are fewer; `unplaced` then names the item.
struct Placed {
  Assignment assignment;
  std::vector<RouteKey> unplaced;  // with fewer copies than wished, or none
};
[[nodiscard]] Placed place(const std::vector<Item>& items, const std::vector<Candidate>& candidates);

// What the nodes are told next on the way from `current` to `target`. Copies that are new come first; one that is no
// longer wanted goes only when every copy of the target is ready. At most `moves` copies are on their way at once,
// beside those of items that no node holds ready, which do not wait.
using IsReady = std::function<bool(const RouteKey& item, const NodeId& node)>;
// `alive`: nodes that are not lost. A copy on a lost node serves nobody, and yet is taken away only like any other: it
// may be the control plane that is cut off.
[[nodiscard]] Assignment step(const Assignment& current, const Assignment& target, const IsReady& ready,
                              const std::set<NodeId>& alive, std::size_t moves);

// The order of nodes for a key: the higher, the earlier.
[[nodiscard]] std::uint64_t score(const RouteKey& key, const NodeId& node);

}  // namespace hotswap::placement
