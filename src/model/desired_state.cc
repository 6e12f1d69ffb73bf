#include "model/desired_state.h"

#include <fmt/format.h>

#include <map>

namespace hotswap {
namespace {

VersionKey key_of(const DesiredVersion& version) { return {version.tenant, version.moduleId}; }
RouteKey key_of(const Route& route) { return {route.tenant, route.name}; }

RouteKey key_of(const Shared<RemoteRoute>& route) { return {route->tenant, route->name}; }

template <class Key, class T>
void compare(const std::vector<T>& from, const std::vector<T>& to, std::vector<T>& put, std::vector<Key>& drop) {
  std::map<Key, const T*> before;
  for (const auto& item : from) before.emplace(key_of(item), &item);
  for (const auto& item : to) {
    const auto found = before.find(key_of(item));
    if (found == before.end() || *found->second != item) put.push_back(item);
    if (found != before.end()) before.erase(found);
  }
  for (const auto& [key, item] : before) drop.push_back(key);
}

template <class Key, class T>
std::vector<T> merged(std::vector<T> items, std::vector<T> put, const std::vector<Key>& drop) {
  std::map<Key, T> all;
  for (auto& item : items) all.insert_or_assign(key_of(item), std::move(item));
  for (const auto& key : drop) all.erase(key);
  for (auto& item : put) all.insert_or_assign(key_of(item), std::move(item));
  std::vector<T> out;
  out.reserve(all.size());
  for (auto& [key, item] : all) out.push_back(std::move(item));
  return out;
}

}  // namespace

DesiredChange everything(const DesiredState& to) {
  DesiredChange change;
  change.revision = to.revision;
  change.putVersions = to.versions;
  change.putRoutes = to.routes;
  change.putRemotes = to.remotes;
  return change;
}

DesiredChange change_between(const DesiredState& from, const DesiredState& to) {
  DesiredChange change;
  change.from = from.revision;
  change.revision = to.revision;
  compare(from.versions, to.versions, change.putVersions, change.dropVersions);
  compare(from.routes, to.routes, change.putRoutes, change.dropRoutes);
  compare(from.remotes, to.remotes, change.putRemotes, change.dropRemotes);
  return change;
}

Result<DesiredState> apply(DesiredState state, DesiredChange change) {
  if (!change.from) {
    return DesiredState{change.revision, std::move(change.putVersions), std::move(change.putRoutes),
                        std::move(change.putRemotes)};
  }
  if (*change.from != state.revision) {
    return fail(ErrorKind::kConflict, fmt::format("a change from revision {} does not fit a state of revision {}",
                                                  *change.from, state.revision));
  }
  return DesiredState{change.revision,
                      merged(std::move(state.versions), std::move(change.putVersions), change.dropVersions),
                      merged(std::move(state.routes), std::move(change.putRoutes), change.dropRoutes),
                      merged(std::move(state.remotes), std::move(change.putRemotes), change.dropRemotes)};
}

}  // namespace hotswap
