#include "control/traffic.h"

#include "control/figures.h"

namespace hotswap::control {

void Traffic::add(const Region& region, const std::vector<VersionMetrics>& windows, SteadyPoint now) {
  for (const auto& window : windows) {
    if (window.requests == 0) continue;  // copies alone
    Entry& entry = entries_[{window.tenant, region, window.name, window.moduleId}];
    add_window(entry.total, window);
    entry.called = now;
  }
}

void Traffic::forget_idle(SteadyPoint now) {
  std::erase_if(entries_, [now](const auto& entry) { return now - entry.second.called > limits::kTrafficKept; });
}

std::vector<TrafficRow> Traffic::rows(const TenantId& tenant) const {
  std::vector<TrafficRow> rows;
  for (const auto& [key, entry] : entries_) {
    if (key.tenant != tenant) continue;
    rows.push_back({.region = key.region,
                    .name = key.name,
                    .moduleId = key.version,
                    .requests = entry.total.requests,
                    .failures = entry.total.failures,
                    .latency = entry.total.latency,
                    .latencySeconds = entry.total.latencySeconds});
  }
  return rows;
}

}  // namespace hotswap::control
