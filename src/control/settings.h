// Everything about the control plane that whoever starts it may choose.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "control/environment.h"
#include "control/liveness.h"
#include "control/sample_source.h"
#include "model/mail.h"
#include "model/principal.h"
#include "net/http.h"
#include "net/smtp.h"

namespace hotswap::control {

// How many nodes each region shall have (source 002, "Auto-Scaling Triggers"). Bounds stand with each region.
struct ScalingOptions {
  bool enabled = false;
  scaling::Triggers triggers{};
  std::chrono::milliseconds look_every = limits::kScalingLook;
  // Where each decision is sent, http only; empty = nowhere. Bodies are signed where there is a secret.
  std::string webhook_url{};
  std::string webhook_secret{};
  std::chrono::milliseconds webhook_retry = limits::kWebhookRetry;
  // Called with each decision after it was stored. Must return at once.
  std::function<void(const ScalingEvent&)> on_decision{};
};

// Who is told of what waits for approval, and of what became of it.
struct MailOptions {
  net::SmtpOptions smtp{};  // without a URL nothing is sent
  std::vector<std::string> approvers{};
  std::chrono::milliseconds retry = kMailRetry;
  [[nodiscard]] bool enabled() const { return !smtp.url.empty(); }
};

struct Options {
  bool wasi03 = false;      // accept modules that need WASI 0.3
  bool single_user = true;  // whoever created a production deployment may approve it
  std::vector<RegionSetting> regions{{Region("local"), Environment::development}};
  std::size_t versions_kept = limits::kVersionsKept;
  // When a silent node is suspect, and when unhealthy.
  LivenessSettings liveness;
  // How often nodes report, and while a rollout touches them.
  std::chrono::milliseconds report_every{5'000};
  std::chrono::milliseconds report_every_in_rollout{1'000};
  std::size_t nodes_per_region = limits::kNodesPerRegion;
  // Copies that are made elsewhere at once, when nodes come, go or drain.
  std::size_t simultaneous_moves = 8;
  // Of a node's credential; the node asks for the next one at two thirds of it.
  std::chrono::seconds credential_life{24 * 3600};
  // How long a rollback waits for the live nodes to make the old versions ready again, before it changes any route.
  std::chrono::milliseconds rollback_prepare{10'000};
  // How long the reply to a rollback waits for the live nodes to report the routes.
  std::chrono::milliseconds rollback_settle{2'000};
  // Of all tenants together; 0 = no limit.
  int deployments_per_hour = limits::kDeploymentsPerHour;
  // What an analysis looks at. Absent: what the nodes report.
  SampleSource samples{};
  ScalingOptions scaling{};
  MailOptions mail{};
  // Of a Prometheus server, which is asked the queries of an analysis; empty: they have no value.
  std::string prometheus_url{};
  std::string web_ca_file{};         // PEM: what the webhook's and Prometheus' https hangs on; empty: the system's
  std::size_t download_threads = 4;  // binaries being sent at once; others wait
  // Who calls. One fixed Admin until identity comes.
  std::function<Result<Principal>(net::Exchange&)> identify = [](net::Exchange&) -> Result<Principal> {
    return default_principal();
  };
};

}  // namespace hotswap::control
