#include "store/connection_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace hotswap {
namespace {

// How long a caller waits for a session before it is told that the store is overloaded.
constexpr std::chrono::seconds kWait{10};

std::string database_name(Backend backend) { return backend == Backend::Sqlite ? "SQLite" : "PostgreSQL"; }

// Databases end their messages with newlines and colons.
std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == ':')) text.pop_back();
  return text;
}

}  // namespace

ConnectionPool::ConnectionPool(StoreAddress address, std::size_t size)
    : address_(std::move(address)), free_(std::max<std::size_t>(size, 1)) {}

Result<> ConnectionPool::enter() {
  std::unique_lock lock(mutex_);
  if (!freed_.wait_for(lock, kWait, [this] { return free_ > 0; })) {
    return fail(ErrorKind::kUnavailable, "every connection to the store has been busy for 10 seconds; try again later");
  }
  --free_;
  return {};
}

std::unique_ptr<Connection> ConnectionPool::take_idle() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return nullptr;
  auto connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void ConnectionPool::give_back(std::unique_ptr<Connection> connection) {
  {
    const std::lock_guard lock(mutex_);
    ++free_;
    if (connection != nullptr) idle_.push_back(std::move(connection));
  }
  freed_.notify_one();
}

ConnectionPool::Lease::~Lease() {
  if (connection_ != nullptr && connection_->in_transaction()) connection_.reset();
  pool_.give_back(std::move(connection_));
}

void ConnectionPool::Lease::open() { connection_ = std::make_unique<Connection>(pool_.address_); }

ConnectionPool::Failure ConnectionPool::examine(const soci::soci_error& error, Connection* connection) const {
  // get_error_message, not what(): the latter shows the statement with its parameters, or the connection string.
  const std::string reason = one_line(error.get_error_message());
  const std::string database = database_name(address_.backend);
  if (connection == nullptr) {
    return {{ErrorKind::kUnavailable, fmt::format("cannot connect to the store ({}): {}", database, reason), {}},
            false};
  }
  const Fault fault = connection->fault_of(error);
  if (fault == Fault::Other) {
    return {{ErrorKind::kInternal, fmt::format("the store ({}) failed: {}", database, reason), {}}, false};
  }
  if (connection->commit_in_doubt()) {
    return {{ErrorKind::kUnavailable,
             fmt::format("the store ({}) was lost while it committed, so the change may or may not have taken effect; "
                         "look before trying again: {}",
                         database, reason),
             {}},
            false};
  }
  return {{ErrorKind::kUnavailable, fmt::format("the store ({}) is not available: {}", database, reason), {}}, true};
}

}  // namespace hotswap
