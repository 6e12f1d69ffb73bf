// What each node of a region shall hold and route: the region's desired state, less what is placed on other nodes, and
// with what is pinned.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/node_registry.h"
#include "control/publication.h"
#include "control/settings.h"
#include "placement/placement.h"

namespace hotswap::control {

// A node as placement sees it.
struct PlacedNode {
  NodeId id;
  bool alive = true;     // not unhealthy
  bool leaving = false;  // it stops soon: its copies go elsewhere, and requests too
  std::string forward_key{};
};

// On one executor. Where a region's modules are on every node, and no node drains, is disabled or pinned, every node
// shares the region's own state.
class NodeStates {
 public:
  NodeStates(const Options& options, Publication& publication, const NodeRegistry& registry)
      : options_(options), publication_(publication), registry_(registry) {}

  // Takes the next step towards where the modules of a region shall be. `ready`: whether a node holds every version
  // ready that a route names. Returns whether the state of any node changed.
  bool update(const Region& region, const std::vector<PlacedNode>& nodes, const placement::IsReady& ready);

  // Whether no other node of the region sends requests on to `leaving` any more, by the revisions that they say they
  // route by.
  using RoutedRevision = std::function<std::int64_t(const NodeId&)>;
  [[nodiscard]] bool released(const NodeId& leaving, const Region& region, const std::vector<PlacedNode>& nodes,
                              const RoutedRevision& routed) const;

  [[nodiscard]] std::int64_t revision(const NodeId& node, const Region& region) const;
  [[nodiscard]] std::shared_ptr<const DesiredState> state(const NodeId& node, const Region& region);
  // Whether the node holds, or will hold, the versions of a name that is deployed to its region now.
  [[nodiscard]] bool holds(const NodeId& node, const Region& region, const RouteKey& key,
                           const std::vector<PlacedNode>& nodes) const;
  // Names that found fewer nodes than they should be on.
  [[nodiscard]] std::size_t unplaced() const;

 private:
  struct RegionPlaces {
    bool everywhere = true;  // nothing is left out anywhere
    placement::Assignment assignment;
    std::map<RouteKey, std::vector<Peer>> peers;      // who serves each name that is not everywhere
    std::map<RouteKey, Shared<RemoteRoute>> remotes;  // the same as nodes are told
    std::int64_t remotes_of = -1;                     // the region's revision that they are made of; -1: none
    std::size_t unplaced = 0;
  };
  // By node, names that it shall hold and does not serve yet, in their order.
  using Pending = std::unordered_map<std::string_view, std::vector<RouteKey>>;
  struct NodeState {
    std::int64_t revision = 0;  // of the last change that is this node's alone
    bool holds_all = true;
    std::vector<RouteKey> held;     // where it does not: sorted
    std::vector<RouteKey> pending;  // names that it shall hold and does not serve yet: sorted
    [[nodiscard]] bool holds(const TenantId& tenant, const std::string& name) const;
    [[nodiscard]] bool awaits(const RouteKey& key) const;
    std::vector<Pin> pins;
    std::int64_t built_from = 0;  // the region's revision
    std::shared_ptr<const DesiredState> built;
  };
  [[nodiscard]] static bool sends_on(const NodeState& node) { return !node.holds_all || !node.pending.empty(); }
  [[nodiscard]] int replicas(const Region& region) const;
  [[nodiscard]] bool plain(const Region& region, const std::vector<PlacedNode>& nodes) const;
  [[nodiscard]] placement::Placed target(const Region& region, const std::vector<PlacedNode>& nodes,
                                         const std::map<RouteKey, std::size_t>& names) const;
  void move(RegionPlaces& places, const Region& region, const std::vector<PlacedNode>& nodes,
            const placement::IsReady& ready, const DesiredState& whole, bool was_everywhere);
  [[nodiscard]] std::map<RouteKey, std::vector<Peer>> peers(const placement::Assignment& holders,
                                                            const std::vector<PlacedNode>& nodes,
                                                            const placement::IsReady& ready) const;
  bool tell(const RegionPlaces& places, const std::vector<PlacedNode>& nodes, Pending pending, bool others_moved);
  static void refresh_remotes(RegionPlaces& places, const DesiredState& whole);
  [[nodiscard]] std::shared_ptr<const DesiredState> build(const NodeState& node, const NodeId& id, const Region& region,
                                                          const DesiredState& whole);

  const Options& options_;
  Publication& publication_;
  const NodeRegistry& registry_;
  std::map<Region, RegionPlaces> regions_;
  std::map<NodeId, NodeState> nodes_;
};

}  // namespace hotswap::control
