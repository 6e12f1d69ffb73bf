// A node as the protocol sees it: it polls its desired state, makes versions ready, routes, reports, and crashes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "model/desired_state.h"
#include "model/node_report.h"
#include "world.h"

namespace hotswap::sim {

// What a node says, and when it said so.
struct SentReport {
  NodeReport report;
  TimePoint sent;
};

// How a node reaches whichever control plane lives at the moment.
class Uplink {
 public:
  virtual ~Uplink() = default;
  // `answer` is called at most once, through the network.
  virtual void poll(const NodeId& node, const Region& region, std::int64_t after,
                    std::function<void(std::shared_ptr<const DesiredState>)> answer) = 0;
  virtual void report(const SentReport& report) = 0;
};

class Node {
 public:
  Node(World& world, Uplink& uplink, NodeId id, Region region)
      : world_(world), uplink_(uplink), id_(std::move(id)), region_(std::move(region)) {}

  void start();
  void crash();

  [[nodiscard]] const NodeId& id() const noexcept { return id_; }
  [[nodiscard]] const Region& region() const noexcept { return region_; }
  [[nodiscard]] bool up() const noexcept { return up_; }
  [[nodiscard]] TimePoint started() const noexcept { return started_; }
  [[nodiscard]] bool ready(const ModuleId& version) const;
  // What it serves a name with; nullptr where nothing.
  [[nodiscard]] const std::vector<WeightedVersion>* serves(const std::string& name) const;
  [[nodiscard]] std::int64_t routed() const noexcept { return routed_; }
  [[nodiscard]] const DesiredState& desired() const noexcept { return desired_; }

 private:
  void poll();
  void take(const DesiredState& state);
  void prepare(const DesiredVersion& version);
  void check(const DesiredVersion& version);
  void route();
  void report();
  void beat();

  World& world_;
  Uplink& uplink_;
  NodeId id_;
  Region region_;
  bool up_ = false;
  int life_ = 0;  // what an earlier life began must not end in this one
  int polls_ = 0;
  TimePoint started_;
  DesiredState desired_;
  std::map<ModuleId, VersionReport> versions_;
  std::map<std::string, std::vector<WeightedVersion>> table_;
  std::int64_t routed_ = 0;
};

}  // namespace hotswap::sim
