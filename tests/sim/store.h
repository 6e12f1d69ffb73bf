// Rows in memory, with the contract of Store::apply: all of a change or nothing, revisions that must match, gap-free
// event sequences. It survives whatever crashes.
#pragma once

#include <functional>
#include <map>

#include "store/store.h"
#include "world.h"

namespace hotswap::sim {

class MemoryStore {
 public:
  using Key = std::pair<std::string, Region>;  // name and region of a route
  using Routes = std::map<Key, Route>;
  // What stands before a change, the change, and its events with their sequences.
  using Observer = std::function<void(const Routes& before, const DeploymentChange& change)>;

  explicit MemoryStore(World& world) : world_(world) {}
  void observe(Observer observer) { observer_ = std::move(observer); }

  // kUnavailable where the change or its answer was lost; the caller cannot know which.
  Result<AppliedChange> apply(const DeploymentChange& change);
  [[nodiscard]] const TenantDeployment& deployment(const DeploymentId& id) const { return deployments_.at(id); }
  [[nodiscard]] const std::map<DeploymentId, TenantDeployment>& deployments() const noexcept { return deployments_; }
  [[nodiscard]] const Routes& routes() const noexcept { return routes_; }
  [[nodiscard]] const std::vector<Event>& events() const noexcept { return events_; }

 private:
  World& world_;
  Observer observer_;
  std::map<DeploymentId, TenantDeployment> deployments_;
  Routes routes_;
  std::vector<Event> events_;
};

}  // namespace hotswap::sim
