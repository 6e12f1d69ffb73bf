#include "model/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/module_description.h"
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

std::vector<std::string> lacking(const NodeDescription& node, const Module& module) {
  std::vector<std::string> missing;
  const WasiVersion needed = module.httpHandler == "0.3" ? WasiVersion::Preview3 : module.wasiVersion;
  if (needed > node.wasiVersion) {
    missing.push_back(fmt::format("WASI {} (it has {})", enum_name(needed), enum_name(node.wasiVersion)));
  }
  if (node.capabilities.empty()) return missing;
  const bool component = module.kind == ModuleKind::Component;
  std::set<std::string> stated;
  for (const auto& name : node.capabilities) stated.insert(component ? interface_track(name) : name);
  for (const auto& name : module.requiredInterfaces) {
    // A type that a component imports by itself belongs to an interface that it imports as well.
    if (component && !name.contains(':')) continue;
    if (!stated.contains(component ? interface_track(name) : name)) missing.push_back(name);
  }
  return missing;
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
