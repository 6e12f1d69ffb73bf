#include "node/snapshot.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

namespace hotswap::node {

Snapshot::Snapshot(net::IoThreads& threads) : threads_(threads), slots_(threads.size()) {
  const auto empty = std::make_shared<const RouteTable>();
  for (auto& slot : slots_) slot.table = empty;
}

const std::shared_ptr<const RouteTable>& Snapshot::get() const noexcept {
  return slots_[net::IoThreads::current()].table;
}

Task<void> Snapshot::publish(std::shared_ptr<const RouteTable> table) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    // On the slot's own thread: a reader there never sees the exchange half done. The old table goes with the lambda.
    co_await asio::co_spawn(
        threads_.at(i),
        [slot = &slots_[i], next = table]() mutable -> Task<void> {
          slot->table.swap(next);
          co_return;
        },
        // A swap is never left half done.
        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
  }
}

}  // namespace hotswap::node
