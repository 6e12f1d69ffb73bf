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

std::uint64_t hash_of(const RouteKey& key) { return add(add(kBasis, key.tenant.str()), key.name); }
std::uint64_t hash_of(const NodeId& node) { return finish(add(kBasis, node.str())); }

std::uint64_t score_of(std::uint64_t key, std::uint64_t node) { return finish(key ^ node); }

// A candidate while copies are handed out.
struct Seat {
  const Candidate* node;
  std::size_t zone;  // number of its zone
  std::uint64_t hash;
  std::size_t used = 0;
  std::uint64_t score = 0;  // for the item at hand
  bool taken = false;       // by the item at hand
};

std::vector<Seat> seats_of(const std::vector<Candidate>& candidates, std::size_t& zones) {
  std::map<std::string_view, std::size_t> numbers;
  std::vector<Seat> seats;
  for (const auto& node : candidates) {
    seats.push_back({.node = &node,
                     .zone = numbers.try_emplace(node.zone, numbers.size()).first->second,
                     .hash = hash_of(node.id)});
  }
  zones = numbers.size();
  return seats;
}

// The best seat that has room; nullptr where none has.
Seat* best_of(std::vector<Seat>& seats, const std::vector<int>& copies_in_zone, std::size_t versions) {
  Seat* best = nullptr;
  for (auto& seat : seats) {
    if (seat.taken || seat.used + versions > seat.node->capacity) continue;
    if (best == nullptr ||
        std::pair(copies_in_zone[best->zone], seat.score) > std::pair(copies_in_zone[seat.zone], best->score)) {
      best = &seat;
    }
  }
  return best;
}

bool contains(const std::vector<NodeId>& nodes, const NodeId& node) {
  return std::ranges::find(nodes, node) != nodes.end();
}

// The nodes of one item after the other, in the order of the items.
class Reader {
 public:
  explicit Reader(const Assignment& assignment) : at_(assignment.begin()), end_(assignment.end()) {}
  const std::vector<NodeId>& nodes_of(const RouteKey& key) {
    static const std::vector<NodeId> kNone;
    while (at_ != end_ && at_->first < key) ++at_;
    return at_ == end_ || at_->first != key ? kNone : at_->second;
  }

 private:
  Assignment::const_iterator at_;
  Assignment::const_iterator end_;
};

}  // namespace

std::uint64_t score(const RouteKey& key, const NodeId& node) { return score_of(hash_of(key), hash_of(node)); }

Placed place(const std::vector<Item>& items, const std::vector<Candidate>& candidates) {
  std::vector<const Item*> ordered;
  for (const auto& item : items) ordered.push_back(&item);
  // Those that must be everywhere take their room first; then in an order that no change of the list disturbs.
  std::ranges::sort(ordered, [](const Item* a, const Item* b) {
    if ((a->replicas == 0) != (b->replicas == 0)) return a->replicas == 0;
    return a->key < b->key;
  });
  Placed placed;
  std::size_t zones = 0;
  std::vector<Seat> seats = seats_of(candidates, zones);
  for (const Item* item : ordered) {
    const std::uint64_t of_key = hash_of(item->key);
    for (auto& seat : seats) {
      seat.score = score_of(of_key, seat.hash);
      seat.taken = false;
    }
    const std::size_t wished = item->replicas == 0 ? candidates.size() : static_cast<std::size_t>(item->replicas);
    std::vector<int> copies_in_zone(zones);
    std::vector<NodeId>& nodes = placed.assignment[item->key];
    while (nodes.size() < wished) {
      Seat* seat = best_of(seats, copies_in_zone, item->versions);
      if (seat == nullptr) break;
      seat->taken = true;
      ++copies_in_zone[seat->zone];
      seat->used += item->versions;
      nodes.push_back(seat->node->id);
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
  struct Pending {
    const RouteKey& key;
    const std::vector<NodeId>& wanted;
    const std::vector<NodeId>& have;
  };
  std::vector<Pending> pending;
  Reader now(current);
  for (const auto& [key, wanted] : target) {
    if (!wanted.empty() && std::ranges::all_of(wanted, [&](const NodeId& node) { return serves(key, node); })) {
      next.emplace_hint(next.end(), key, wanted);
    } else {
      pending.push_back({key, wanted, now.nodes_of(key)});
    }
  }
  std::size_t moving = 0;
  for (const auto& [key, wanted, have] : pending) {
    for (const auto& node : have) {
      if (contains(wanted, node) && alive.contains(node) && !ready(key, node)) ++moving;
    }
  }
  for (const auto& [key, wanted, have] : pending) {
    const bool waits = std::ranges::any_of(have, [&](const NodeId& node) { return serves(key, node); });
    std::vector<NodeId> told = have;
    for (const auto& node : wanted) {
      if (contains(have, node) || (waits && moving >= moves)) continue;
      if (waits) ++moving;
      told.push_back(node);
    }
    std::ranges::sort(told);
    next.emplace(key, std::move(told));
  }
  return next;
}

}  // namespace hotswap::placement
