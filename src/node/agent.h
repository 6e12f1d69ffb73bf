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
#include "node/control_link.h"
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
  NodeId node;
  Region region;
  std::chrono::milliseconds retry = limits::kControlRetry;
  std::chrono::milliseconds count_every = limits::kCountInterval;
};

struct AgentParts {
  ControlLink& control;
  Loader& loader;
  Snapshot& snapshot;
  BlockingPool& cpu;
  const Clock& clock;
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

  // Completes when everything that the first desired state asked for is ready or failed, and is routed.
  Task<void> until_settled();

 private:
  struct Held;
  using Key = std::pair<TenantId, ModuleId>;

  Task<void> follow();
  Task<void> publish_changes();
  Task<void> count_invocations();
  Task<void> flush_counts();
  void reconcile(DesiredState desired);
  Task<void> prepare(std::shared_ptr<Held> held);
  Task<Result<std::shared_ptr<Workload>>> load(const DesiredVersion& version);
  Task<Result<std::string>> check_health(Workload& workload, const HealthCheck& check);
  [[nodiscard]] ReadyVersions ready_versions() const;
  [[nodiscard]] NodeReport report() const;
  void changed();

  asio::any_io_executor home_;
  AgentOptions options_;
  AgentParts parts_;
  DesiredState desired_;
  std::map<Key, std::shared_ptr<Held>> held_;
  std::map<Key, std::int64_t> uncounted_;  // of versions that are gone
  std::int64_t routed_revision_ = 0;
  bool dirty_ = false;
  bool settled_once_ = false;
  std::size_t preparing_ = 0;
  asio::steady_timer wake_;     // cancelled by changed()
  asio::steady_timer settled_;  // cancelled when settled_once_ turns true
  Histogram& load_duration_;
  Gauge& modules_ready_;
};

}  // namespace hotswap::node
