// A bounded number of sessions, and the edge at which database exceptions become Errors.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/connection.h"

namespace hotswap {

// Thread-safe. Sessions are opened when first needed and replaced when they break.
class ConnectionPool {
 public:
  ConnectionPool(StoreAddress address, std::size_t size);

  // Runs `work(connection)`, which returns a Result and reads with a single statement.
  template <class F>
  auto read(F work) {
    return attempt([&](Connection& connection) { return work(connection); });
  }

  // Runs `work(connection)` in a transaction: committed if it returned a value, rolled back if an error.
  template <class F>
  auto write(F work) {
    // SQLite has one writer; waiting here is fair and prompt, its own waiting polls.
    std::unique_lock writer(writer_, std::defer_lock);
    if (address_.backend == Backend::Sqlite) writer.lock();
    return attempt([&](Connection& connection) {
      connection.begin_write();
      auto result = work(connection);
      if (result) {
        connection.commit();
      } else {
        connection.rollback();
      }
      return result;
    });
  }

 private:
  // Gives the session back, unless a transaction was left open on it: closing it is what ends that for certain.
  class Lease {
   public:
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    void open();
    void discard() { connection_.reset(); }
    [[nodiscard]] Connection* get() { return connection_.get(); }

   private:
    ConnectionPool& pool_;
    std::unique_ptr<Connection> connection_;
  };

  // Work that failed because its session broke, or because of a competing transaction, is repeated once on a fresh
  // session; not if the commit was already on its way, since then it may have taken effect.
  template <class F, class R = std::invoke_result_t<F&, Connection&>>
  R attempt(F work) {
    HS_CHECK(enter());
    Lease lease(*this, take_idle());
    for (int tries = 1;; ++tries) {
      try {
        if (lease.get() == nullptr) lease.open();
        return work(*lease.get());
      } catch (const soci::soci_error& error) {
        const Failure failure = examine(error, lease.get());
        lease.discard();
        if (!failure.repeat || tries > 1) return std::unexpected(failure.error);
      } catch (const NotText& error) {
        return fail(ErrorKind::kInvalid, error.what());
      }
    }
  }

  struct Failure {
    Error error;
    bool repeat = false;
  };
  [[nodiscard]] Failure examine(const soci::soci_error& error, Connection* connection) const;
  [[nodiscard]] Result<> enter();
  [[nodiscard]] std::unique_ptr<Connection> take_idle();
  void give_back(std::unique_ptr<Connection> connection);

  const StoreAddress address_;
  std::mutex writer_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t free_;                               // leases that may still be given
  std::vector<std::unique_ptr<Connection>> idle_;  // at most free_
};

}  // namespace hotswap
