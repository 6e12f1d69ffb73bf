// Time, chance and the network of one simulated fleet. One thread, no real clock: a run follows from its seed.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "scenario.h"

namespace hotswap::sim {

using std::chrono::milliseconds;

template <class Range, class Value, class Projection = std::identity>
[[nodiscard]] bool contains(const Range& range, const Value& value, Projection projection = {}) {
  return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

// A rule was broken; what() says which.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class World {
 public:
  explicit World(const Scenario& scenario) : scenario_(scenario), random_(scenario.seed * 0x9e3779b97f4a7c15U + 1) {}

  [[nodiscard]] const Scenario& scenario() const noexcept { return scenario_; }
  [[nodiscard]] TimePoint now() const noexcept { return now_; }

  // ---- chance
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  [[nodiscard]] milliseconds between(int least, int most) {
    return milliseconds(least + static_cast<int>(below(static_cast<std::uint64_t>(most - least + 1))));
  }
  [[nodiscard]] bool one_in(std::uint64_t n) { return below(n) == 0; }

  // ---- time
  void after(milliseconds delay, std::function<void()> action);
  // Everything that happens until then, each time followed by `check`.
  void run_until(TimePoint end, const std::function<void()>& check);

  // ---- network: between the control plane and a node, either way
  void send(const NodeId& node, std::function<void()> deliver);
  void cut(const NodeId& node) { cut_.insert(node); }
  void mend(const NodeId& node) {
    if (cut_.erase(node) > 0) mended_[node] = now_;
  }
  void mend_all() {
    while (!cut_.empty()) mend(NodeId(*cut_.begin()));
  }
  // Whether the node was out of reach at any time since then.
  [[nodiscard]] bool was_cut(const NodeId& node, TimePoint since) const {
    const auto mended = mended_.find(node);
    return cut_.contains(node) || (mended != mended_.end() && mended->second >= since);
  }
  // From then on nothing goes wrong any more.
  void calm() { calm_ = true; }
  [[nodiscard]] bool is_calm() const noexcept { return calm_; }

  // ---- what happened, for whoever reads a failure
  void note(std::string line);
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }

 private:
  struct Item {
    TimePoint at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator<(const Item& other) const { return std::pair(at, order) > std::pair(other.at, other.order); }
  };

  Scenario scenario_;
  std::mt19937_64 random_;
  TimePoint now_{milliseconds(1'790'000'000'000)};
  std::uint64_t order_ = 0;
  std::priority_queue<Item> items_;
  std::set<NodeId> cut_;
  std::map<NodeId, TimePoint> mended_;
  bool calm_ = false;
  std::vector<std::string> notes_;
};

}  // namespace hotswap::sim
