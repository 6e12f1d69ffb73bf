#include "world.h"

#include <fmt/format.h>

namespace hotswap::sim {

void World::after(milliseconds delay, std::function<void()> action) {
  items_.push({now_ + delay, order_++, std::move(action)});
}

void World::run_until(TimePoint end, const std::function<void()>& check) {
  while (!items_.empty() && items_.top().at <= end) {
    const Item item = items_.top();
    items_.pop();
    now_ = item.at;
    item.action();
    check();
  }
  now_ = end;
}

void World::send(const NodeId& node, std::function<void()> deliver) {
  if (cut_.contains(node)) return;
  const bool faults = !calm_;
  if (faults && scenario_.loss && one_in(12)) return;
  milliseconds delay = between(1, 20);
  if (faults && scenario_.loss && one_in(10)) delay += between(50, 3000);
  const int copies = faults && scenario_.duplication && one_in(10) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    after(delay, [this, node, deliver] {
      if (!cut_.contains(node)) deliver();
    });
    delay += between(1, 500);
  }
}

void World::note(std::string line) {
  static constexpr TimePoint kBegin{milliseconds(1'790'000'000'000)};
  notes_.push_back(fmt::format("{:9.3f} s  {}", static_cast<double>((now_ - kBegin).count()) / 1000, line));
}

}  // namespace hotswap::sim
