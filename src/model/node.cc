#include "model/node.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/text_rules.h"

namespace hotswap {
namespace {

constexpr int kMostPort = 65535;
constexpr std::int64_t kMostTokenLife = 366LL * 24 * 3600;

void subtract(std::vector<std::int64_t>& from, const std::vector<std::int64_t>& counts) {
  for (std::size_t i = 0; i < std::min(from.size(), counts.size()); ++i) from[i] -= counts[i];
}

}  // namespace

std::vector<FieldError> validate(const NodeDescription& node) {
  RuleBook rules;
  if (auto problem = node_name_problem(node.nodeId.str()); !problem.empty()) rules.broken("nodeId", std::move(problem));
  if (auto problem = name_problem(node.region.str()); !problem.empty()) rules.broken("region", std::move(problem));
  if (node.zone) {
    if (auto problem = name_problem(*node.zone); !problem.empty()) rules.broken("zone", std::move(problem));
  }
  rules.require(is_host(node.hostname), "hostname", "must be a host name or an IP address");
  rules.range("port", node.port, 1, kMostPort);
  rules.require(!node.runtimeVersion.empty() && is_plain_text(node.runtimeVersion), "runtimeVersion", "is required");
  rules.require(node.wasiVersion != WasiVersion::None, "wasiVersion", "must be Preview1, Preview2 or Preview3");
  rules.range("maxModules", node.maxModules, 1, static_cast<long long>(limits::kModulesPerCluster));
  return rules.take();
}

std::vector<FieldError> validate(const JoinTokenRequest& request) {
  RuleBook rules;
  rules.require(is_plain_text(request.description) && request.description.size() <= limits::kDescriptionBytes,
                "description", fmt::format("must be text of at most {} bytes", limits::kDescriptionBytes));
  if (request.region) {
    if (auto problem = name_problem(request.region->str()); !problem.empty()) {
      rules.broken("region", std::move(problem));
    }
  }
  if (request.expiresInSeconds) rules.range("expiresInSeconds", *request.expiresInSeconds, 1, kMostTokenLife);
  return rules.take();
}

std::string gateway_origin(const NodeDescription& node) {
  return fmt::format("http://{}:{}", node.hostname, node.port);
}

VersionMetrics difference(const CountedBy& before, const CountedBy& after) {
  VersionMetrics window = after.metrics;
  if (before.incarnation != after.incarnation) return window;
  window.requests -= before.metrics.requests;
  window.failures -= before.metrics.failures;
  window.latencySeconds -= before.metrics.latencySeconds;
  subtract(window.latency, before.metrics.latency);
  if (window.shadow && before.metrics.shadow) {
    window.shadow->compared -= before.metrics.shadow->compared;
    window.shadow->mismatched -= before.metrics.shadow->mismatched;
    window.shadow->dropped -= before.metrics.shadow->dropped;
    subtract(window.shadow->latency, before.metrics.shadow->latency);
    subtract(window.shadow->liveLatency, before.metrics.shadow->liveLatency);
  }
  return window;
}

}  // namespace hotswap
