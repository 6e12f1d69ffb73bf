// What must hold whatever happens. Every change of the store and every moment of the fleet is held against it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "control.h"

namespace hotswap::sim {

class Invariants {
 public:
  Invariants(World& world, MemoryStore& store, Control& control, const std::vector<std::unique_ptr<Node>>& nodes)
      : world_(world), store_(store), control_(control), nodes_(nodes) {}

  // Of a change, with the routes that stood before it. Throws Violation.
  void changed(const MemoryStore::Routes& before, const DeploymentChange& change);
  // At every moment.
  void always() const;
  // After everything has calmed down and time has passed.
  void at_the_end() const;

 private:
  void weights(const DeploymentChange& change) const;
  void region_lock(const DeploymentChange& change) const;
  void readiness(const MemoryStore::Routes& before, const DeploymentChange& change) const;
  void outcome(const MemoryStore::Routes& before, const DeploymentChange& change);
  void completed(const Deployment& deployment) const;
  void replay();
  [[nodiscard]] bool excused(const Node& node) const;
  void note_lacking(const Deployment& deployment);
  [[nodiscard]] bool lacked(const Node& node, const Deployment& deployment, const ModuleId& version) const;
  [[nodiscard]] bool was_away(const Node& node, const DeploymentId& id) const;

  World& world_;
  MemoryStore& store_;
  Control& control_;
  const std::vector<std::unique_ptr<Node>>& nodes_;
  std::map<DeploymentId, MemoryStore::Routes> at_start_;  // the routes when each deployment was executed
  std::map<DeploymentId, TimePoint> executed_at_;
  // Versions in place that a node did not have ready when a deployment was executed.
  std::map<DeploymentId, std::set<std::pair<NodeId, ModuleId>>> lacked_;
  MemoryStore::Routes replayed_;
  std::size_t events_replayed_ = 0;
};

}  // namespace hotswap::sim
