// Brings the node to its desired state: fetches, compiles, checks, routes, reports.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/blocking_pool.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "model/desired_state.h"
#include "model/node_report.h"
#include "node/control_link.h"
#include "node/kept_state.h"
#include "node/machine.h"
#include "node/snapshot.h"

namespace hotswap::node {

// Makes a workload of a desired version. Implemented by the node's wiring over the sandbox.
class Loader {
 public:
  virtual ~Loader() = default;
  // Whether machine code for the binary is at hand, so that load() needs no bytes.
  [[nodiscard]] virtual bool cached(const Digest& digest) const = 0;
  // Blocking. `binary` is empty where cached() said yes; kNotFound when the cached code turned out unusable.
  [[nodiscard]] virtual Result<std::shared_ptr<Workload>> load(const DesiredVersion& version, std::string binary) = 0;
};

struct AgentOptions {
  NodeDescription node;
  std::string forward_key{};                                // reported
  std::filesystem::path data;                               // whose disk is reported
  std::optional<std::filesystem::path> kept{};              // file of what was served last; absent: nothing is kept
  std::chrono::milliseconds retry = limits::kControlRetry;  // grows up to retry_most
  std::chrono::milliseconds retry_most = limits::kControlRetryMax;
  std::chrono::milliseconds count_every = limits::kCountInterval;
};

struct AgentParts {
  ControlLink& control;
  Loader& loader;
  Snapshot& snapshot;
  BlockingPool& cpu;
  const Clock& clock;
  Random& random;
  Tracer& tracer;
  Metrics& metrics;
};

// Everything runs on `home`, one single-threaded executor.
class Agent {
 public:
  Agent(asio::any_io_executor home, AgentOptions options, AgentParts parts);
  ~Agent();

  // Until it is cancelled. Serves on with the last state while the control plane is away.
  Task<void> run();

  // Completes when everything that the first desired state asked for is ready or failed, and is routed; the first is
  // the kept one where there is one.
  Task<void> until_settled();

  // Reports that the node is leaving. Completes when the control plane says that nobody sends requests on to it any
  // more, or does not answer, or after `at_most`.
  Task<void> leave(std::chrono::milliseconds at_most);

 private:
  struct Held;
  struct Meter {
    std::shared_ptr<VersionMeter> counted;
    std::int64_t told = 0;  // requests added to the module's count at the control plane
  };
  using Key = std::pair<TenantId, ModuleId>;

  // ---- what shall be (agent.cc)
  Task<void> follow();
  Task<void> restore();
  Task<void> introduce();
  void reconcile(DesiredState desired);
  Task<void> prepare(std::shared_ptr<Held> held);
  void ask_for_check(const std::shared_ptr<Held>& held, const DesiredVersion& version);
  Task<Result<std::shared_ptr<Workload>>> load(const std::shared_ptr<Held>& held);
  Task<Result<std::string>> fetch(const Held& held);
  // What the report says of a healthy version.
  Task<Result<std::string>> check_health(std::shared_ptr<Workload> workload, HealthCheck check);
  Task<Result<>> ask_function(std::shared_ptr<Workload> workload, HealthCheck check, std::string name);
  Task<Result<>> ask_path(std::shared_ptr<Workload> workload, HealthCheck check);
  // Runs the health check of a version that is ready for as long as another run is asked for.
  Task<void> check_again(std::shared_ptr<Held> held);
  Task<void> publish_changes();
  [[nodiscard]] std::shared_ptr<const RouteTable> next_table();
  void forget_examples(const std::vector<Route>& next);
  Task<void> keep();
  void changed();
  Task<void> pause(std::chrono::milliseconds time);

  // ---- what is said about it (agent_report.cc)
  Task<void> send_reports();
  [[nodiscard]] NodeReport report();
  [[nodiscard]] std::vector<VersionReport> version_reports() const;
  [[nodiscard]] NodeMetrics metrics();
  Task<void> count_invocations();
  Task<void> flush_counts();
  std::shared_ptr<VersionMeter> meter_of(const DesiredVersion& version);

  asio::any_io_executor home_;
  AgentOptions options_;
  AgentParts parts_;
  Machine machine_;
  DesiredState desired_;
  std::map<Key, std::shared_ptr<Held>> held_;
  // Versions that are no longer wanted and still serve, until one that is wanted in their place is ready.
  std::map<Key, std::shared_ptr<ReadyVersion>> lingering_;
  std::vector<Route> routed_;             // as the table in use routes
  std::map<Key, Meter> meters_;           // since this process started
  std::vector<VersionReport> published_;  // as of the table in use
  std::int64_t published_revision_ = 0;   // of the desired state that published_ answers to
  std::int64_t routed_revision_ = 0;
  std::int64_t kept_revision_ = -1;
  bool dirty_ = false;  // the table must be built anew
  bool report_due_ = false;
  bool stopping_ = false;
  bool leaving_ = false;
  bool settled_once_ = false;
  std::size_t preparing_ = 0;
  std::size_t fetching_ = 0;
  std::int64_t requests_reported_ = 0;
  std::int64_t reports_made_ = 0;
  std::optional<NodeReport> told_;  // whole, as the control plane knows it; absent where that is not sure
  std::optional<SteadyPoint> reported_at_;
  asio::steady_timer wake_;         // cancelled by changed()
  asio::steady_timer report_wake_;  // cancelled when a report is due at once
  asio::steady_timer fetched_;      // cancelled when a download ended
  asio::steady_timer stopped_;      // cancelled when stopping_ turns true
  asio::steady_timer settled_;      // cancelled when settled_once_ turns true
  asio::steady_timer left_;         // cancelled when leave() may complete
  Histogram& load_duration_;
  Gauge& modules_ready_;
};

}  // namespace hotswap::node
