#include "model/node_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>

namespace hotswap {
namespace {

auto key_of(const VersionReport& version) { return std::tie(version.tenant, version.moduleId); }
auto key_of(const VersionMetrics& metrics) { return std::tie(metrics.tenant, metrics.moduleId); }
auto key_of(const VersionKey& key) { return std::tie(key.tenant, key.moduleId); }

constexpr auto kKey = [](const auto& item) { return key_of(item); };

template <class Items, class Key>
auto find_in(Items& items, const Key& key) {
  const auto found = std::ranges::lower_bound(items, key, {}, kKey);
  return found != items.end() && kKey(*found) == key ? found : items.end();
}

// Nodes send them sorted.
template <class T>
void sort(std::vector<T>& items) {
  if (!std::ranges::is_sorted(items, {}, kKey)) std::ranges::sort(items, {}, kKey);
}

template <class T>
void keep_changed(const std::vector<T>& known, std::vector<T>& now) {
  std::erase_if(now, [&](const T& item) {
    const auto found = find_in(known, kKey(item));
    return found != known.end() && *found == item;
  });
}

template <class T>
void merge(std::vector<T>& known, std::vector<T> changed, const std::vector<VersionKey>& dropped) {
  if (!dropped.empty()) {
    std::erase_if(known, [&](const T& item) { return find_in(dropped, kKey(item)) != dropped.end(); });
  }
  std::vector<T> added;
  for (auto& item : changed) {
    const auto found = find_in(known, kKey(item));
    if (found != known.end()) {
      *found = std::move(item);
    } else {
      added.push_back(std::move(item));
    }
  }
  if (added.empty()) return;
  std::vector<T> all;
  all.reserve(known.size() + added.size());
  const auto before = [](const T& a, const T& b) { return kKey(a) < kKey(b); };
  std::merge(std::move_iterator(known.begin()), std::move_iterator(known.end()), std::move_iterator(added.begin()),
             std::move_iterator(added.end()), std::back_inserter(all), before);
  known = std::move(all);
}

}  // namespace

NodeReport change_between(const NodeReport& known, NodeReport now) {
  now.after = known.number;
  for (const auto& version : known.versions) {
    if (find_in(now.versions, kKey(version)) == now.versions.end()) {
      now.dropVersions.push_back({version.tenant, version.moduleId});
    }
  }
  keep_changed(known.versions, now.versions);
  keep_changed(known.versionMetrics, now.versionMetrics);
  return now;
}

Result<bool> apply(NodeReport& known, NodeReport report) {
  if (report.after && (*report.after != known.number || report.incarnation != known.incarnation)) {
    return fail(ErrorKind::kConflict,
                fmt::format("the report of node {} builds on its report {}, which is not the last one known: send one "
                            "without `after`",
                            report.nodeId.str(), *report.after));
  }
  if (report.number != 0 && report.number <= known.number && report.incarnation == known.incarnation) {
    return fail(ErrorKind::kConflict, fmt::format("report {} of node {} came after its report {}", report.number,
                                                  report.nodeId.str(), known.number));
  }
  sort(report.versions);
  sort(report.versionMetrics);
  bool differs = known.versions != report.versions;
  if (report.after) {
    sort(report.dropVersions);
    differs = !report.versions.empty() || !report.dropVersions.empty();
    merge(known.versions, std::move(report.versions), report.dropVersions);
    merge(known.versionMetrics, std::move(report.versionMetrics), report.dropVersions);
    report.versions = std::move(known.versions);
    report.versionMetrics = std::move(known.versionMetrics);
    report.after.reset();
    report.dropVersions.clear();
  }
  known = std::move(report);
  return differs;
}

const VersionReport* find_version(const NodeReport& report, const TenantId& tenant, const ModuleId& id) {
  const auto found = find_in(report.versions, std::tie(tenant, id));
  return found == report.versions.end() ? nullptr : &*found;
}

const VersionMetrics* find_metrics(const NodeReport& report, const TenantId& tenant, const ModuleId& id) {
  const auto found = find_in(report.versionMetrics, std::tie(tenant, id));
  return found == report.versionMetrics.end() ? nullptr : &*found;
}

}  // namespace hotswap
