// Who of the guests that compute for long may go on: one at a time, and what else is ready on the thread before each.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>

#include "base/task.h"

namespace hotswap::wasm {

// One for each context, which one thread runs; used on that thread. Without it, each of n guests that spin would have
// its tick before a request that came meanwhile is looked at; with it, that request waits for one of them.
class Turns : public asio::execution_context::service {
 public:
  using key_type = Turns;
  static inline asio::execution_context::id id;
  explicit Turns(asio::execution_context& context) : service(context) {}
  // The turns of the thread that `home` stands for.
  [[nodiscard]] static Turns& of(const asio::any_io_executor& home);

  // Returns when it is the caller's turn, in the order of asking. It has the thread until it suspends.
  [[nodiscard]] Task<void> next(asio::any_io_executor home);

 private:
  class Waiting;
  // Grants the next turn when what is ready now has gone.
  void schedule(const asio::any_io_executor& home);
  void pass(const asio::any_io_executor& home, int left);
  void grant();
  void shutdown() override { waiting_.clear(); }

  std::deque<asio::steady_timer*> waiting_;
  bool scheduled_ = false;  // somebody's turn is on its way
};

}  // namespace hotswap::wasm
