// The one pointer that a swap exchanges: each I/O thread has its own copy, so that a request takes it without a lock.
#pragma once

#include <memory>
#include <vector>

#include "base/task.h"
#include "net/server.h"
#include "node/route_table.h"

namespace hotswap::node {

// get() belongs to the I/O threads, publish() to any coroutine.
class Snapshot {
 public:
  explicit Snapshot(net::IoThreads& threads);

  // The calling I/O thread's table. A request copies the pointer and keeps it until it ends.
  [[nodiscard]] const std::shared_ptr<const RouteTable>& get() const noexcept;

  // Exchanges the table on every thread. When this completes, every later request sees `table`.
  Task<void> publish(std::shared_ptr<const RouteTable> table);

 private:
  struct alignas(64) Slot {
    std::shared_ptr<const RouteTable> table;
  };
  net::IoThreads& threads_;
  std::vector<Slot> slots_;
};

}  // namespace hotswap::node
