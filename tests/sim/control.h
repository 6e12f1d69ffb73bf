// The control plane's decision core over the simulated store and network: the same planners, decide(), transitions,
// verbs and publication as the product, with the driver's loop in between. It may die at any moment and begin anew.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "control/publication.h"
#include "control/verbs.h"
#include "node.h"
#include "rollout/decide.h"
#include "store.h"

namespace hotswap::sim {

inline const TenantId kTenant{"default"};

class Control final : public Uplink {
 public:
  Control(World& world, MemoryStore& store, std::vector<Region> regions)
      : world_(world), store_(store), regions_(std::move(regions)) {}

  void start();
  void crash();
  [[nodiscard]] bool up() const noexcept { return life_ != nullptr; }

  void poll(const NodeId& node, const Region& region, std::int64_t after,
            std::function<void(std::shared_ptr<const DesiredState>)> answer) override;
  void report(const SentReport& report) override;

  // ---- what people ask for; a refusal changes nothing
  Result<> create(Deployment deployment);
  Result<> execute(const DeploymentId& id);
  Result<> rollback(const DeploymentId& id);
  Result<> retry(const DeploymentId& id);
  using Verb = std::function<control::Asked(const TenantDeployment&, const control::Cause&)>;
  Result<> ask(const DeploymentId& id, const Verb& verb);

  // ---- for the invariants
  [[nodiscard]] bool lost(const NodeId& node) const;
  // When what it knows of the node was sent; nullopt where it knows nothing.
  [[nodiscard]] std::optional<TimePoint> heard_last(const NodeId& node) const;

 private:
  struct Running {
    TenantDeployment stored;
    std::vector<control::SharedVersion> versions;
    std::int64_t step_revision = 0;
    std::int64_t check_number = 0;
    TimePoint watched_since;
  };
  struct Waiting {
    Region region;
    std::int64_t after = 0;
    std::function<void(std::shared_ptr<const DesiredState>)> answer;
  };
  struct Seen {
    Region region;
    TimePoint heard;
    TimePoint sent;
  };
  // Everything that dies with the process.
  struct Life {
    TimePoint begun;
    milliseconds skew{0};
    control::Publication publication;
    std::map<DeploymentId, Running> running;
    std::map<NodeId, Waiting> waiting;
    std::map<NodeId, Seen> seen;
    rollout::FleetReports reports;
    Life(TimePoint at, milliseconds ahead, std::int64_t first, std::vector<Region> regions)
        : begun(at), skew(ahead), publication(first, std::move(regions)) {}
  };

  [[nodiscard]] TimePoint clock() const { return world_.now() + life_->skew; }
  [[nodiscard]] control::Cause cause(std::string by) const { return {std::move(by), "", clock()}; }
  Seen& hear(const NodeId& node, const Region& region);
  void published();
  void ask_for_check(Running& running);
  void tick();
  void pass();
  void push(const DeploymentId& id);
  [[nodiscard]] rollout::RolloutState facts(const Running& running) const;
  // Saves and publishes. Where the outcome is in doubt, the process gives up and another one begins from the store.
  Result<> commit(Running& running, const control::Transition& transition, bool publish);
  Result<> begin(TenantDeployment stored);
  void take_up(const TenantDeployment& stored);
  [[nodiscard]] std::vector<control::SharedVersion> versions_for(const Deployment& deployment) const;
  [[nodiscard]] bool alone(const Deployment& deployment) const;
  [[nodiscard]] bool all_ready(const Deployment& deployment, std::int64_t revision) const;
  void finish_rollback(const DeploymentId& id, std::int64_t revision, int tries);

  World& world_;
  MemoryStore& store_;
  std::vector<Region> regions_;
  std::unique_ptr<Life> life_;
  int lives_ = 0;
};

}  // namespace hotswap::sim
