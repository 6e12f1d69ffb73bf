#include "control/node_states.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace hotswap::control {
namespace {

RouteKey key_of(const DesiredVersion& version) { return {version.tenant, version.name}; }

// Every name of a region and how many versions of it a node holds.
std::map<RouteKey, std::size_t> names_of(const DesiredState& state) {
  std::map<RouteKey, std::size_t> names;
  for (const auto& version : state.versions) ++names[key_of(version)];
  return names;
}

bool on(const placement::Assignment& assignment, const RouteKey& key, const NodeId& node) {
  const auto found = assignment.find(key);
  return found != assignment.end() && std::ranges::find(found->second, node) != found->second.end();
}

// What each node holds, sorted.
std::unordered_map<std::string_view, std::vector<RouteKey>> by_node(const placement::Assignment& assignment) {
  std::unordered_map<std::string_view, std::vector<RouteKey>> held;
  for (const auto& [key, on_nodes] : assignment) {
    for (const auto& node : on_nodes) held[node.str()].push_back(key);
  }
  return held;
}

}  // namespace

bool NodeStates::NodeState::holds(const TenantId& tenant, const std::string& name) const {
  constexpr auto kKey = [](const RouteKey& key) { return std::tie(key.tenant, key.name); };
  return holds_all || std::ranges::binary_search(held, std::tie(tenant, name), {}, kKey);
}

bool NodeStates::NodeState::awaits(const RouteKey& key) const { return std::ranges::binary_search(pending, key); }

int NodeStates::replicas(const Region& region) const {
  const auto setting = std::ranges::find(options_.regions, region, &RegionSetting::region);
  return setting == options_.regions.end() ? 0 : setting->replicas;
}

// Whether everything is on every node.
bool NodeStates::plain(const Region& region, const std::vector<PlacedNode>& nodes) const {
  return replicas(region) == 0 && std::ranges::none_of(nodes, [this](const PlacedNode& node) {
           const NodeRecord* record = registry_.find(node.id);
           return record != nullptr && (record->draining || !record->isEnabled);
         });
}

placement::Placed NodeStates::target(const Region& region, const std::vector<PlacedNode>& nodes,
                                     const std::map<RouteKey, std::size_t>& names) const {
  std::vector<placement::Candidate> candidates;
  std::vector<NodeId> keeping;  // disabled: nothing comes, and nothing goes
  for (const auto& node : nodes) {
    const NodeRecord* record = registry_.find(node.id);
    if (node.leaving || (record != nullptr && record->draining)) continue;
    if (record != nullptr && !record->isEnabled) {
      keeping.push_back(node.id);
    } else if (node.alive) {
      candidates.push_back({.id = node.id,
                            .zone = record == nullptr ? "" : record->node.zone.value_or(""),
                            .capacity = record == nullptr ? limits::kModulesPerNode
                                                          : static_cast<std::size_t>(record->node.maxModules)});
    }
  }
  std::vector<placement::Item> items;
  for (const auto& [key, versions] : names) {
    items.push_back({.key = key, .replicas = replicas(region), .versions = versions});
  }
  auto placed = placement::place(items, candidates);
  const auto known = regions_.find(region);
  for (const auto& node : keeping) {
    for (auto& [key, wanted] : placed.assignment) {
      const bool held =
          known != regions_.end() && (known->second.everywhere || on(known->second.assignment, key, node));
      if (held) wanted.insert(std::ranges::upper_bound(wanted, node), node);
    }
  }
  return placed;
}

// Where the modules of a region that are not everywhere shall be next.
void NodeStates::move(RegionPlaces& places, const Region& region, const std::vector<PlacedNode>& nodes,
                      const placement::IsReady& ready, const DesiredState& whole, bool was_everywhere) {
  const auto names = names_of(whole);
  if (was_everywhere && replicas(region) == 0) {
    for (const auto& [key, versions] : names) {
      auto& on_all = places.assignment[key];
      on_all.clear();
      for (const auto& node : nodes) on_all.push_back(node.id);
      std::ranges::sort(on_all);
    }
  } else if (places.assignment.empty()) {
    // After a start: what the nodes hold already is where things are.
    for (const auto& [key, versions] : names) {
      for (const auto& node : nodes) {
        if (ready(key, node.id)) places.assignment[key].push_back(node.id);
      }
    }
  }
  auto wanted = target(region, nodes, names);
  places.unplaced = wanted.unplaced.size();
  std::set<NodeId> alive;
  for (const auto& node : nodes) {
    if (node.alive) alive.insert(node.id);
  }
  // Nothing moves under a rollout, which waits for the nodes that it was planned for.
  for (auto& [key, on_nodes] : wanted.assignment) {
    if (!publication_.holds(region)) break;
    const auto now = places.assignment.find(key);
    if (now != places.assignment.end() && !now->second.empty() && publication_.holds(region, key)) {
      on_nodes = now->second;
    }
  }
  // What a removed node held is nobody's.
  std::unordered_set<std::string_view> known;
  for (const auto& node : nodes) known.insert(node.id.str());
  for (auto& [key, on_nodes] : places.assignment) {
    std::erase_if(on_nodes, [&](const NodeId& held) { return !known.contains(held.str()); });
  }
  places.assignment = placement::step(places.assignment, wanted.assignment, ready, alive, options_.simultaneous_moves);
}

bool NodeStates::update(const Region& region, const std::vector<PlacedNode>& nodes, const placement::IsReady& ready) {
  const auto whole = publication_.state(region);
  RegionPlaces& places = regions_[region];
  const bool was_everywhere = places.everywhere;
  places.everywhere = plain(region, nodes);
  places.unplaced = 0;
  std::map<RouteKey, std::vector<Peer>> serving;
  Pending pending;
  if (!places.everywhere) {
    move(places, region, nodes, ready, *whole, was_everywhere);
    serving = peers(places.assignment, nodes, ready);
    auto holders = places.assignment.begin();
    for (const auto& [key, by] : serving) {
      while (holders->first < key) ++holders;
      for (const auto& node : holders->second) {
        if (std::ranges::find(by, node, &Peer::node) == by.end()) pending[node.str()].push_back(key);
      }
    }
  }
  const bool others_moved = serving != places.peers;
  if (others_moved) {
    places.peers = std::move(serving);
    places.remotes_of = -1;
  }
  return tell(places, nodes, std::move(pending), others_moved);
}

// Gives a new revision to every node for which something changed.
bool NodeStates::tell(const RegionPlaces& places, const std::vector<PlacedNode>& nodes, Pending pending,
                      bool others_moved) {
  bool changed = false;
  auto held = places.everywhere ? decltype(by_node({})){} : by_node(places.assignment);
  for (const auto& node : nodes) {
    NodeState& state = nodes_[node.id];
    const auto own = held.find(node.id.str());
    std::vector<RouteKey> holds = own == held.end() ? std::vector<RouteKey>{} : std::move(own->second);
    const bool holds_all = places.everywhere || holds.size() == places.assignment.size();
    if (holds_all) holds.clear();
    const NodeRecord* record = registry_.find(node.id);
    const auto pins = record == nullptr ? std::vector<Pin>{} : record->pins;
    const auto due = pending.find(node.id.str());
    std::vector<RouteKey> still_pending = due == pending.end() ? std::vector<RouteKey>{} : std::move(due->second);
    const bool addresses = others_moved && !(holds_all && still_pending.empty());
    if (holds_all == state.holds_all && holds == state.held && still_pending == state.pending && pins == state.pins &&
        !addresses) {
      continue;
    }
    state.holds_all = holds_all;
    state.held = std::move(holds);
    state.pending = std::move(still_pending);
    state.pins = pins;
    state.revision = publication_.next_revision();
    state.built.reset();
    changed = true;
  }
  return changed;
}

std::map<RouteKey, std::vector<Peer>> NodeStates::peers(const placement::Assignment& holders,
                                                        const std::vector<PlacedNode>& nodes,
                                                        const placement::IsReady& ready) const {
  std::map<RouteKey, std::vector<Peer>> all;
  if (holders.empty()) return all;
  struct Reached {
    Peer peer;
    bool leaving;
  };
  std::unordered_map<std::string_view, Reached> reached;
  for (const auto& node : nodes) {
    const NodeRecord* record = registry_.find(node.id);
    if (!node.alive || record == nullptr) continue;
    reached.emplace(node.id.str(), Reached{{node.id, gateway_origin(record->node), node.forward_key}, node.leaving});
  }
  for (const auto& [key, on_nodes] : holders) {
    auto& peers = all.emplace_hint(all.end(), key, std::vector<Peer>{})->second;
    std::vector<Peer> leaving;
    for (const auto& node : on_nodes) {
      const auto found = reached.find(node.str());
      if (found == reached.end() || !ready(key, node)) continue;
      (found->second.leaving ? leaving : peers).push_back(found->second.peer);
    }
    if (peers.empty()) peers = std::move(leaving);  // until another one has a copy
  }
  return all;
}

bool NodeStates::released(const NodeId& leaving, const Region& region, const std::vector<PlacedNode>& nodes,
                          const RoutedRevision& routed) const {
  const auto places = regions_.find(region);
  if (places == regions_.end() || places->second.peers.empty()) return true;
  const auto stays = [&](const PlacedNode& node) { return node.id != leaving && node.alive && !node.leaving; };
  if (std::ranges::none_of(nodes, stays)) return true;
  const auto asked = [&](const auto& entry) {
    return std::ranges::find(entry.second, leaving, &Peer::node) != entry.second.end();
  };
  if (std::ranges::any_of(places->second.peers, asked)) return false;
  return std::ranges::all_of(nodes, [&](const PlacedNode& node) {
    const auto state = nodes_.find(node.id);
    return !stays(node) || state == nodes_.end() || !sends_on(state->second) ||
           routed(node.id) >= state->second.revision;
  });
}

std::int64_t NodeStates::revision(const NodeId& node, const Region& region) const {
  const auto found = nodes_.find(node);
  const std::int64_t own = found == nodes_.end() ? 0 : found->second.revision;
  return std::max(own, publication_.revision(region));
}

std::shared_ptr<const DesiredState> NodeStates::state(const NodeId& id, const Region& region) {
  auto whole = publication_.state(region);
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return whole;
  NodeState& node = found->second;
  if (!sends_on(node) && node.pins.empty() && node.revision <= whole->revision) return whole;
  if (node.built == nullptr || node.built_from != whole->revision) {
    node.built = build(node, id, region, *whole);
    node.built_from = whole->revision;
  }
  return node.built;
}

// What nodes are told of whoever serves a route meanwhile, or instead. A route of which nothing changed stays the same
// object, which all states of the nodes share.
void NodeStates::refresh_remotes(RegionPlaces& places, const DesiredState& whole) {
  if (places.remotes_of == whole.revision) return;
  places.remotes_of = whole.revision;
  struct Versions {
    std::vector<ModuleId> ids;
    bool http = false;
  };
  std::map<RouteKey, Versions> versions;
  for (const auto& version : whole.versions) {
    Versions& of_name = versions[key_of(version)];
    of_name.ids.push_back(version.moduleId);
    of_name.http = of_name.http || version.httpHandler;
  }
  std::map<RouteKey, Shared<RemoteRoute>> next;
  for (const auto& route : whole.routes) {
    const RouteKey key{route.tenant, route.name};
    const auto peers = places.peers.find(key);
    if (peers == places.peers.end() || peers->second.empty()) continue;
    RemoteRoute remote{.tenant = route.tenant, .name = route.name, .peers = peers->second};
    if (const auto found = versions.find(key); found != versions.end()) {
      remote.versions = std::move(found->second.ids);
      if (found->second.http) remote.bindings.push_back(route.http);
      if (found->second.http && route.preview) remote.bindings.push_back(route.preview->http);
    }
    const auto before = places.remotes.find(key);
    const bool same = before != places.remotes.end() && *before->second == remote;
    next.emplace_hint(next.end(), key, same ? before->second : Shared<RemoteRoute>(std::move(remote)));
  }
  places.remotes = std::move(next);
}

std::shared_ptr<const DesiredState> NodeStates::build(const NodeState& node, const NodeId& id, const Region& region,
                                                      const DesiredState& whole) {
  RegionPlaces& places = regions_[region];
  refresh_remotes(places, whole);
  auto built = std::make_shared<DesiredState>();
  built->revision = std::max(node.revision, whole.revision);
  const auto pinned = registry_.pinned(id);
  std::map<RouteKey, HttpBinding> pinned_bindings;
  for (const auto& version : pinned) pinned_bindings.emplace(key_of(*version), default_binding(version->name));
  for (const auto& version : whole.versions) {
    if (node.holds(version.tenant, version.name)) built->versions.push_back(version);
  }
  for (const auto& route : whole.routes) {
    const RouteKey key{route.tenant, route.name};
    const auto pin = pinned_bindings.find(key);
    if (pin != pinned_bindings.end()) pin->second = route.http;
    const bool holds = node.holds(route.tenant, route.name);
    if (!holds || node.awaits(key)) {
      if (const auto remote = places.remotes.find(key); remote != places.remotes.end()) {
        built->remotes.push_back(remote->second);
      }
    }
    if (holds && pin == pinned_bindings.end()) built->routes.push_back(route);
  }
  for (const auto& version : pinned) {
    const RouteKey key = key_of(*version);
    const bool listed = std::ranges::any_of(built->versions, [&](const DesiredVersion& other) {
      return other.tenant == version->tenant && other.moduleId == version->moduleId;
    });
    if (!listed) built->versions.push_back(*version);
    built->routes.push_back({.tenant = key.tenant,
                             .name = key.name,
                             .region = region,
                             .versions = {{version->moduleId, 100}},
                             .http = pinned_bindings.at(key)});
  }
  return built;
}

bool NodeStates::holds(const NodeId& node, const Region& region, const RouteKey& key,
                       const std::vector<PlacedNode>& nodes) const {
  const auto places = regions_.find(region);
  if (places == regions_.end() || places->second.everywhere) return true;
  if (places->second.assignment.contains(key)) return on(places->second.assignment, key, node);
  auto names = names_of(*publication_.state(region));
  names.emplace(key, 1);
  return on(target(region, nodes, names).assignment, key, node);
}

std::size_t NodeStates::unplaced() const {
  std::size_t count = 0;
  for (const auto& [region, places] : regions_) count += places.unplaced;
  return count;
}

}  // namespace hotswap::control
