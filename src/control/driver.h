// Carries deployments through their lives: every transition is persisted with its events first, then published.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "control/fleet.h"
#include "control/interfaces.h"
#include "control/mailer.h"
#include "control/prometheus.h"
#include "control/publication.h"
#include "control/settings.h"
#include "control/signal.h"
#include "control/transition.h"
#include "control/verbs.h"
#include "store/store.h"

namespace hotswap::control {

// Everything on `home`, the executor of the fleet. Transitions happen one at a time; a restart at any point resumes
// where the store stands.
class Driver {
 public:
  struct Parts {
    Store& store;
    BlockingPool& pool;
    const Clock& clock;
    Random& random;
    Tracer& tracer;
    Metrics& metrics;
    Interfaces& interfaces;
    Mailer& mailer;
    Prometheus* prometheus = nullptr;  // answers the queries of analyses
  };
  Driver(asio::any_io_executor home, const Options& options, Parts parts, Publication& publication, Fleet& fleet,
         Signal& reported);

  // Publishes the stored routes and takes up unfinished deployments. Once, before run().
  Task<Result<>> load();
  // Until stop().
  Task<void> run();
  void stop();

  // ---- what callers ask for. Each is durable when it returns.
  Task<Result<Deployment>> create(Principal principal, DeploymentRequest request, TraceContext trace);
  // An approved deployment stays as it is. kConflict where what breaks callers is not what the request says.
  Task<Result<Deployment>> approve(Principal principal, DeploymentId id, ApprovalRequest request, TraceContext trace);
  struct Executed {
    Deployment deployment;
    bool started = false;  // by this call
  };
  Task<Result<Executed>> execute(Principal principal, DeploymentId id, TraceContext trace);
  // Returns when the live nodes route as before, or after options.rollback_settle.
  Task<Result<Deployment>> rollback(Principal principal, DeploymentId id, RollbackRequest request, TraceContext trace);
  // One of the verbs of verbs.h; what is done already stays as it is.
  using Verb = std::function<Asked(const TenantDeployment&, const Cause&)>;
  Task<Result<Deployment>> ask(Principal principal, DeploymentId id, Verb verb, TraceContext trace);
  // A paused deployment's step begins anew; an ended one is executed again.
  Task<Result<Deployment>> retry(Principal principal, DeploymentId id, TraceContext trace);

  // ---- following events: take the count, read the store, wait for a newer count.
  // Nullopt once the driver is stopping.
  Task<std::optional<std::uint64_t>> event_count();
  Task<void> next_event(std::uint64_t seen, std::chrono::milliseconds at_most);

 private:
  // A deployment that is not finished.
  struct Unfinished {
    TenantDeployment stored;
    std::vector<SharedVersion> versions;  // the one it brings and those before; empty while Pending
    std::int64_t step_revision = 0;
    std::int64_t check_number = 0;  // that the nodes were given last
    struct Answers {
      TimePoint asked_at;
      QueryAnswers given;
    };
    std::optional<Answers> answers;  // to the queries of the current step, or of an earlier one
    bool asking = false;
    TimePoint watched_since;
    TraceContext trace;
    Span span;
  };

  // ---- the loop (driver.cc)
  Task<void> rest();
  Task<TimePoint> pass();
  Task<TimePoint> advance(DeploymentId id);
  Task<rollout::RolloutState> facts(const Unfinished& rollout);
  [[nodiscard]] std::set<NodeId> gateways(const Deployment& deployment) const;
  // Whether the queries of a measurement that is due have been answered; asks them where they have not. Nothing waits
  // for the answers but the deployment that they are for.
  bool answered(const DeploymentId& id, Unfinished& rollout);
  Task<void> ask_queries(DeploymentId id, std::vector<std::string> queries);
  Task<Result<>> act(Unfinished& rollout, const rollout::Decision& decision);
  Task<bool> start_queued();
  Task<Result<>> save(TenantDeployment& stored, const Transition& transition);
  void publish(const Transition& transition, Unfinished& rollout);
  void finish(const DeploymentId& id);
  [[nodiscard]] Cause cause(std::string by, const TraceContext& trace) const;

  // ---- from the store (driver_recovery.cc)
  using Versions = std::map<std::pair<TenantId, ModuleId>, SharedVersion>;
  Task<Result<Versions>> referenced_versions();
  void take_up(TenantDeployment stored, const Versions& versions);
  // Reads again what a failed save left in doubt. False where the store does not answer.
  Task<bool> catch_up();
  Task<Result<>> adopt(TenantId tenant, DeploymentId id);

  // ---- requests (driver_requests.cc)
  Task<Result<TenantDeployment>> find(TenantId tenant, DeploymentId id);
  Task<Result<Module>> deployable(TenantId tenant, ModuleId id);
  Result<std::vector<Region>> resolve_regions(const DeploymentRequest& request) const;
  Result<std::vector<Region>> regions_of_nodes(const std::vector<NodeId>& nodes) const;
  Result<Deployment> draft(const Principal& principal, DeploymentRequest request, const Module& module) const;
  [[nodiscard]] Result<std::vector<rollout::TargetNode>> targets(const TenantId& tenant,
                                                                 const Deployment& deployment) const;
  [[nodiscard]] rollout::PlanInput plan_input(const TenantId& tenant, const Deployment& deployment,
                                              std::vector<rollout::TargetNode> nodes) const;
  [[nodiscard]] Result<> check_running() const;
  [[nodiscard]] Result<> check_approved(const Principal& principal, const Deployment& deployment) const;
  Task<Result<std::vector<CallerBreak>>> broken_callers(TenantId tenant, Deployment deployment);
  // kConflict with what breaks callers as things stand and was not approved. The deployment then waits for an approval
  // of all that breaks.
  Task<Result<>> check_callers(TenantDeployment& stored, Cause cause);
  Task<Result<>> warn_of_deprecated(TenantId tenant, Deployment& deployment, const Module& module);
  // kUnprocessable, naming every node that lacks something that the module needs, and what.
  [[nodiscard]] Result<> check_capabilities(const Deployment& deployment, const Module& module,
                                            const std::vector<rollout::TargetNode>& nodes) const;
  [[nodiscard]] bool in_production(const Deployment& deployment) const;
  [[nodiscard]] Result<> check_bindings(const TenantId& tenant, const Deployment& deployment) const;
  [[nodiscard]] Result<> check_alone(const TenantId& tenant, const Deployment& deployment) const;
  // Whoever must end before this one starts; nullptr where it may start.
  [[nodiscard]] const Deployment* ahead(const TenantId& tenant, const Deployment& deployment) const;
  Task<Result<>> check_rate();
  [[nodiscard]] Result<> check_room(const TenantId& tenant, const Deployment& deployment) const;
  void remember_routes(const TenantId& tenant, Deployment& deployment) const;
  Task<Result<Deployment>> begin(TenantDeployment stored, std::string by, TraceContext trace);

  Result<> check_retry(const TenantDeployment& stored) const;

  // ---- rolling back (driver_rollback.cc)
  struct RolledBack {
    Deployment deployment;
    std::int64_t revision = 0;  // of the desired state with the routes before
  };
  // What a rollback was asked for, in terms of the deployment as it stands.
  struct WayBack {
    std::optional<ModuleId> target;
    std::vector<Region> regions;  // that return
    bool some = false;            // only those that were named
  };
  static Result<WayBack> way_back(const Deployment& deployment, const RollbackRequest& request);
  Task<Result<RolledBack>> exchange_back(TenantDeployment stored, WayBack way, std::vector<SharedVersion> versions,
                                         Cause why);
  // Makes the versions that a rollback leads to ready on the nodes.
  Task<Result<std::vector<SharedVersion>>> hold_versions(TenantDeployment stored, WayBack way);
  void release(const std::string& key);
  Task<Result<>> check_target(TenantDeployment stored, ModuleId target);
  Task<Result<std::vector<SharedVersion>>> kept_versions(TenantId tenant, std::vector<ModuleId> ids);
  Result<bool> all_ready(const std::vector<rollout::TargetNode>& nodes, const std::vector<SharedVersion>& versions,
                         std::int64_t revision) const;
  Result<> check_rollback(const TenantDeployment& stored, const WayBack& way) const;
  Task<void> settle(std::vector<Region> regions, std::int64_t revision);

  asio::any_io_executor home_;
  const Options& options_;
  Parts parts_;
  Publication& publication_;
  Fleet& fleet_;
  Signal& reported_;
  Signal events_;
  Turnstile turnstile_;
  bool stopping_ = false;
  int asking_ = 0;
  std::chrono::nanoseconds looking_{0};  // spent on decisions since the last rest
  std::map<DeploymentId, Unfinished> unfinished_;
  std::map<DeploymentId, TenantId> doubtful_;
  Counter& executed_;
  Counter& failed_;
  Histogram& duration_;
};

}  // namespace hotswap::control
