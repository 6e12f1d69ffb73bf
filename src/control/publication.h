// What every node shall hold and route: the desired state of each region, kept as it changes.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "model/desired_state.h"
#include "store/store.h"

namespace hotswap::control {

using SharedVersion = std::shared_ptr<const DesiredVersion>;

// As a node needs it, without a health check.
[[nodiscard]] SharedVersion desired_version(const TenantId& tenant, const Module& module);

// Versions that an unfinished deployment holds on the nodes of its regions beside what is routed: the one that it
// brings (with its health check) and those that it may have to return to.
struct Hold {
  std::vector<Region> regions;
  std::vector<SharedVersion> versions;
};

struct RoutedVersions {
  Route route;
  std::vector<SharedVersion> versions;  // one for each in the route
};

// Not thread-safe. The revision of a region's desired state is the number of the last change that touched it.
//
// A revision must never go backwards for a node, not even over a restart of the control plane. Numbers begin with the
// wall clock (milliseconds × 1000), so that a later process begins above whatever an earlier one could have reached
// with less than a million changes a second, without a write for each change. Where the clock was set back, the nodes
// themselves say so: claim() lifts the numbers above what a node claims to have.
class Publication {
 public:
  Publication(std::int64_t first_revision, std::vector<Region> regions);

  // One change: everything given takes effect at once. Returns its revision.
  struct Change {
    std::vector<RoutedVersions> put;
    std::vector<Route> drop;           // by (tenant, name, region)
    std::map<std::string, Hold> hold;  // by key (deployment id); replaces
    std::vector<std::string> release;  // keys
  };
  std::int64_t apply(Change change);

  // A node says that it has `revision`. Returns whether all numbers were lifted above it: that was not given out here.
  bool claim(std::int64_t revision);

  [[nodiscard]] std::int64_t revision() const noexcept { return revision_; }
  // Revision of the last lift: whatever a node claimed before means nothing.
  [[nodiscard]] std::int64_t lifted() const noexcept { return lifted_; }
  [[nodiscard]] bool knows(const Region& region) const { return regions_.contains(region); }
  [[nodiscard]] std::int64_t revision(const Region& region) const { return regions_.at(region).revision; }
  // Built at most once for each change of the region.
  [[nodiscard]] std::shared_ptr<const DesiredState> state(const Region& region);

  // Whether an unfinished deployment holds versions in the region.
  [[nodiscard]] bool holds(const Region& region) const;
  // The same of the versions of one name.
  [[nodiscard]] bool holds(const Region& region, const RouteKey& key) const;
  // The names whose versions unfinished deployments hold in the region.
  [[nodiscard]] std::set<RouteKey> held(const Region& region) const;
  // Who serves what a node of the region has not yet made ready; see DesiredState. Sorted by id.
  void set_fallback(const Region& region, std::vector<Peer> peers);
  [[nodiscard]] const std::vector<Peer>& fallback(const Region& region) const { return regions_.at(region).fallback; }
  // Of the last change of the fallback.
  [[nodiscard]] std::int64_t fallback_revision(const Region& region) const {
    return regions_.at(region).fallback_revision;
  }
  // The number of a change that concerns single nodes and is kept elsewhere.
  std::int64_t next_revision() { return ++revision_; }

  // nullptr where there is no such route.
  [[nodiscard]] const RoutedVersions* route(const TenantId& tenant, const std::string& name,
                                            const Region& region) const;
  [[nodiscard]] std::size_t route_count(const Region& region) const;
  // Whoever else answers on the gateway at the same place in the region; nullptr where nobody does.
  [[nodiscard]] const Route* bound_elsewhere(const Route& route) const;

 private:
  struct RegionState {
    std::int64_t revision = 0;
    std::map<RouteKey, RoutedVersions> routes;
    std::vector<Peer> fallback;
    std::int64_t fallback_revision = 0;
    std::shared_ptr<const DesiredState> built;
  };
  void touch(const Region& region);

  std::int64_t revision_;
  std::int64_t lifted_ = 0;
  std::map<Region, RegionState> regions_;
  std::map<std::string, Hold> holds_;
};

// Where the deployment's current step is a Check: asks the nodes for another run of the health check of the version
// that it brings, one of `versions`, which are published next. Returns the number of that run; nullopt where nothing
// was asked. Each call asks for a run of its own: what a check said before a pause, a retry or a restart says nothing
// about now.
std::optional<std::int64_t> ask_for_check(Publication& publication, const Deployment& deployment,
                                          std::vector<SharedVersion>& versions);

// What a saved change of a deployment means for the nodes: its routes, and what it holds until it has ended. `versions`
// are the one that it brings and those before, which its routes may lead to.
[[nodiscard]] Publication::Change publication_change(const DeploymentChange& change,
                                                     const std::vector<SharedVersion>& versions);

}  // namespace hotswap::control
