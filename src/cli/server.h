// The servers of `hotswap up`, `hotswap control` and `hotswap node`. What stands in server_*.cc is the only place that
// names concrete adapters and wires them.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "base/task.h"
#include "model/scaling.h"
#include "net/server.h"

namespace hotswap::cli {

// Every setting of a server, in these tables; `--help` of each command shows the same.

// What each of them has.
struct CommonSettings {
  std::filesystem::path data = "hotswap-data";
  std::size_t threads = 0;  // I/O threads; 0 = one for each processor that the process may use
  bool wasi03 = false;
};

// How many nodes each region shall have; see --help of `hotswap control`. Bounds are "N" or "REGION=N".
struct ScalingSettings {
  bool enabled = false;                // also where a webhook is given
  double up_cpu = 70;                  // percent
  std::int64_t up_after = 300;         // seconds
  double up_modules = 800;             // on a node
  double down_cpu = 30;                // percent; less than up_cpu
  std::int64_t down_after = 900;       // seconds
  std::int64_t cooldown = 300;         // seconds
  std::vector<std::string> min_nodes;  // default 1
  std::vector<std::string> max_nodes;  // default limits::kNodesPerRegion
  std::string webhook;                 // URL
  std::string webhook_secret;
};

// Who is told, and by which server, of what waits for approval; see --help of `hotswap control`.
struct MailSettings {
  std::string smtp_url;  // empty = nobody is
  std::string from;
  std::vector<std::string> approvers;
  std::string user;
  std::string password;
  std::string ca_file;
  bool plain = false;  // without TLS
};

struct ControlSettings {
  std::string store;  // empty = SQLite in the data folder
  std::string api = "127.0.0.1:8080";
  std::string environment = "development";  // of regions that do not state one
  std::vector<std::string> regions;         // "NAME" or "NAME=ENVIRONMENT"; empty = the predefined ones
  std::vector<std::string> replicas;        // "all", 1–3, or "REGION=" and one of them; empty = all
  std::size_t simultaneous_moves = 8;       // copies made elsewhere at once, when nodes come, go or drain
  std::int64_t report_every = 5;            // seconds; at most limits::kReportCeiling
  std::int64_t suspect_after = 15;          // seconds of silence
  std::int64_t unhealthy_after = 30;        // seconds of silence; at most limits::kUnhealthyCeiling
  int deployments_per_hour = limits::kDeploymentsPerHour;  // 0 = no limit
  std::int64_t credential_life = 86'400;                   // seconds
  ScalingSettings scaling;
  MailSettings mail;
  std::string prometheus_url;  // empty = the queries of analyses have no value
  std::string web_ca_file;     // PEM; empty = the system's
};

struct NodeSettings {
  std::string gateway = "127.0.0.1:8081";
  std::string advertise;  // host that others reach the gateway by; empty = the gateway's, or this host's name
  std::string node;       // empty = this host's name
  std::string region = "local";
  std::string zone;
  std::uint32_t instances = limits::kPoolInstances;  // simultaneous core instances; each reserves address space
  int max_modules = static_cast<int>(limits::kModulesPerNode);
  std::filesystem::path outbound_ca;  // PEM; authorities that modules' outbound TLS trusts besides the public ones
};

// The six that every control plane knows unless it is told others ("Scalability").
[[nodiscard]] const std::vector<std::string>& predefined_regions();

class RunningServer {
 public:
  virtual ~RunningServer() = default;
  // Empty where it has none.
  [[nodiscard]] virtual std::string api_url() const = 0;
  [[nodiscard]] virtual std::string gateway_url() const = 0;
  // Lets requests in flight end, reports the last counts, stops. Returns how many requests were cut.
  virtual std::size_t stop() = 0;
};

// Control plane, one node and both front doors in one process. Returns when both ports answer and what was deployed
// before serves again.
[[nodiscard]] Result<std::unique_ptr<RunningServer>> start_all(const CommonSettings& common,
                                                               const ControlSettings& control,
                                                               const NodeSettings& node);

class ControlServer : public RunningServer {
 public:
  // ---- for whoever starts and stops nodes (see control::App). The server must run until these have returned.
  virtual Task<Result<>> retire(NodeId node) = 0;
  virtual Task<Result<>> remove(NodeId node) = 0;
  [[nodiscard]] virtual Result<> enable(NodeId node) = 0;
  // A new join token's secret.
  [[nodiscard]] virtual Result<std::string> join_token(std::string description, std::chrono::seconds life) = 0;
};
// Returns when the API answers. `on_scaling` is called on another thread with each decision that a region needs a node
// more or less; it must return at once.
[[nodiscard]] Result<std::unique_ptr<ControlServer>> start_control(
    const CommonSettings& common, const ControlSettings& control,
    std::function<void(const ScalingEvent&)> on_scaling = {});
// `control` is the URL of a control plane; `join_token` may be empty for a node that joined before. Returns when the
// gateway answers and serves what it served last, whether or not a control plane is in sight.
struct Membership {
  std::string control;
  std::string join_token;
};
[[nodiscard]] Result<std::unique_ptr<RunningServer>> start_node(const CommonSettings& common, const NodeSettings& node,
                                                                const Membership& membership);

}  // namespace hotswap::cli
