#include "placement/placement.h"

#include <algorithm>
#include <string_view>

namespace hotswap::placement {
namespace {

// FNV-1a, and a finish that spreads what differs in the last bytes only.
constexpr std::uint64_t kBasis = 0xcbf29ce484222325ULL;
constexpr std::uint64_t kPrime = 0x100000001b3ULL;

std::uint64_t add(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  return (hash ^ 0xff) * kPrime;  // no byte of UTF-8: "ab", "c" is not "a", "bc"
}

std::uint64_t finish(std::uint64_t hash) {
  constexpr int kShift = 33;
  hash = (hash ^ (hash >> kShift)) * 0xff51afd7ed558ccdULL;
  hash = (hash ^ (hash >> kShift)) * 0xc4ceb9fe1a85ec53ULL;
  return hash ^ (hash >> kShift);
}

struct Ranked {
  const Candidate* node;
  std::uint64_t score;
};

// Takes the best candidate that has room out of `ranked`; nullptr where none has.
const Candidate* take_best(std::vector<Ranked>& ranked, const std::map<std::string_view, int>& copies_in_zone,
                           const std::map<NodeId, std::size_t>& load, std::size_t versions) {
  const auto copies = [&](const Ranked& candidate) {
    const auto found = copies_in_zone.find(candidate.node->zone);
    return found == copies_in_zone.end() ? 0 : found->second;
  };
  auto best = ranked.end();
  for (auto at = ranked.begin(); at != ranked.end(); ++at) {
    const auto used = load.find(at->node->id);
    if ((used == load.end() ? 0 : used->second) + versions > at->node->capacity) continue;
    if (best == ranked.end() || std::pair(copies(*best), at->score) > std::pair(copies(*at), best->score)) best = at;
  }
  if (best == ranked.end()) return nullptr;
  const Candidate* node = best->node;
  ranked.erase(best);
  return node;
}

bool contains(const std::vector<NodeId>& nodes, const NodeId& node) {
  return std::ranges::find(nodes, node) != nodes.end();
}

const std::vector<NodeId>& nodes_of(const Assignment& assignment, const RouteKey& key) {
  static const std::vector<NodeId> kNone;
  const auto found = assignment.find(key);
  return found == assignment.end() ? kNone : found->second;
}

}  // namespace

std::uint64_t score(const RouteKey& key, const NodeId& node) {
  return finish(add(add(add(kBasis, key.tenant.str()), key.name), node.str()));
}

Placed place(const std::vector<Item>& items, const std::vector<Candidate>& candidates) {
  std::vector<const Item*> ordered;
  for (const auto& item : items) ordered.push_back(&item);
  // Those that must be everywhere take their room first; then in an order that no change of the list disturbs.
  std::ranges::sort(ordered, [](const Item* a, const Item* b) {
    return std::tuple(a->replicas != 0, a->key) < std::tuple(b->replicas != 0, b->key);
  });
  Placed placed;
  std::map<NodeId, std::size_t> load;
  for (const Item* item : ordered) {
    std::vector<Ranked> ranked;
    for (const auto& node : candidates) ranked.push_back({&node, score(item->key, node.id)});
    const std::size_t wished = item->replicas == 0 ? candidates.size() : static_cast<std::size_t>(item->replicas);
    std::map<std::string_view, int> copies_in_zone;
    std::vector<NodeId>& nodes = placed.assignment[item->key];
    while (nodes.size() < wished) {
      const Candidate* node = take_best(ranked, copies_in_zone, load, item->versions);
      if (node == nullptr) break;
      ++copies_in_zone[node->zone];
      load[node->id] += item->versions;
      nodes.push_back(node->id);
    }
    if (nodes.size() < wished || nodes.empty()) placed.unplaced.push_back(item->key);
    std::ranges::sort(nodes);
  }
  return placed;
}

Assignment step(const Assignment& current, const Assignment& target, const IsReady& ready,
                const std::set<NodeId>& alive, std::size_t moves) {
  const auto serves = [&](const RouteKey& key, const NodeId& node) { return alive.contains(node) && ready(key, node); };
  Assignment next;
  std::size_t moving = 0;
  for (const auto& [key, nodes] : current) {
    for (const auto& node : nodes) {
      if (alive.contains(node) && contains(nodes_of(target, key), node) && !ready(key, node)) ++moving;
    }
  }
  for (const auto& [key, wanted] : target) {
    const std::vector<NodeId>& have = nodes_of(current, key);
    if (!wanted.empty() && std::ranges::all_of(wanted, [&](const NodeId& node) { return serves(key, node); })) {
      next[key] = wanted;
      continue;
    }
    const bool waits = std::ranges::any_of(have, [&](const NodeId& node) { return serves(key, node); });
    std::vector<NodeId> told = have;
    for (const auto& node : wanted) {
      if (contains(have, node) || (waits && moving >= moves)) continue;
      if (waits) ++moving;
      told.push_back(node);
    }
    std::ranges::sort(told);
    next[key] = std::move(told);
  }
  return next;
}

}  // namespace hotswap::placement
