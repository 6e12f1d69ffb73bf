#include "forward/balancer.h"

#include <algorithm>
#include <vector>

namespace hotswap::forward {

// Left out until back_at; from then on over kPeerReadmission with a growing chance.
bool Balancer::admitted(const NodeId& id) {
  const auto found = nodes_.find(id);
  if (found == nodes_.end() || !found->second.back_at) return true;
  const auto since = clock_.steady() - *found->second.back_at;
  if (since < SteadyPoint::duration::zero()) return false;
  if (since >= limits::kPeerReadmission) {
    found->second.back_at.reset();
    return true;
  }
  const auto window = std::chrono::duration_cast<SteadyPoint::duration>(limits::kPeerReadmission);
  // One request in a hundred at the least, or a node that serves well would never be found out.
  const auto chance = std::max(since, window / 100);
  return static_cast<std::int64_t>(random_.next() % static_cast<std::uint64_t>(window.count())) < chance.count();
}

int Balancer::in_flight(const NodeId& id) const {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? 0 : found->second.in_flight;
}

const Peer* Balancer::choose(std::span<const Peer> peers, const NodeId* except) {
  std::vector<const Peer*> open;
  std::vector<const Peer*> any;
  for (const auto& peer : peers) {
    if (except != nullptr && peer.node == *except) continue;
    any.push_back(&peer);
    if (admitted(peer.node)) open.push_back(&peer);
  }
  const auto& from = open.empty() ? any : open;
  if (from.empty()) return nullptr;
  const std::size_t first = random_.next() % from.size();
  if (from.size() == 1) return from.front();
  // Another one than the first.
  const std::size_t second = (first + 1 + random_.next() % (from.size() - 1)) % from.size();
  return in_flight(from[second]->node) < in_flight(from[first]->node) ? from[second] : from[first];
}

void Balancer::ended(const NodeId& id, bool failed) {
  Node& node = nodes_[id];
  --node.in_flight;
  if (!failed) {
    node.failures = 0;
    return;
  }
  constexpr int kMostDoublings = 8;
  const auto pause = limits::kPeerEjection * (1 << std::min(node.failures, kMostDoublings));
  ++node.failures;
  node.back_at = clock_.steady() + std::min<std::chrono::milliseconds>(pause, limits::kPeerEjectionMax);
}

}  // namespace hotswap::forward
