// One server's share of one I/O thread: its acceptor, its connections and the sweep that times them out.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "net/connection.h"
#include "net/listen_socket.h"
#include "net/server.h"

namespace hotswap::net {

// What every listener of one server shares; immutable but for the instruments.
struct ServerShared {
  ServerOptions options;
  Handler handler;
  Counter& requests;
  Counter& refused;
  Gauge& connections;
};

// Everything but the constructor, executor() and the destructor runs on the thread of its context. Kept alive by its
// own coroutines and by its connections.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& context, std::shared_ptr<const ServerShared> shared, ListenSocket socket);
  ~Listener();

  void start();
  void begin_drain();
  // Completes when no connection is left, or at `until`; then cuts the rest and returns their number.
  Task<std::size_t> drained(SteadyPoint until);
  // Stops accepting and cuts every connection.
  void close();

  [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }
  [[nodiscard]] const ServerShared& shared() const noexcept { return *shared_; }
  [[nodiscard]] const ServerTimeouts& timeouts() const noexcept { return shared_->options.timeouts; }
  [[nodiscard]] bool draining() const noexcept { return draining_; }
  // When a wait that begins now must end. Coarse: time moves with the sweep, so a sweep's period is added.
  [[nodiscard]] SteadyPoint deadline(std::chrono::milliseconds timeout) const noexcept {
    return now_ + timeout + period_;
  }
  // A fresh unsampled trace from this thread's generator.
  [[nodiscard]] TraceContext new_trace() noexcept;

  void add(Connection& connection);
  void removed() noexcept;

  // Whether other connections may have replies to send in this turn of the loop.
  [[nodiscard]] bool shares_turn() const noexcept { return connection_count_ > 1; }
  // Sends the connection's reply together with the others of this turn: each send to a client that sleeps wakes it, and
  // waking costs more than sending.
  void flush_later(Connection& connection);

 private:
  Task<void> accept_loop();
  Task<void> sweep_loop();
  void accepted(Connection::Socket socket, const tcp::endpoint& peer);
  void accept_backlog();
  std::size_t cut_all();
  void flush();

  asio::any_io_executor executor_;
  std::shared_ptr<const ServerShared> shared_;
  tcp::acceptor acceptor_;
  asio::steady_timer sweep_timer_;
  asio::steady_timer drained_timer_;
  boost::intrusive::list<Connection, boost::intrusive::base_hook<ConnectionHook>,
                         boost::intrusive::constant_time_size<false>>
      connections_;
  std::size_t connection_count_ = 0;
  boost::intrusive::list<Connection, boost::intrusive::base_hook<UnsentHook>,
                         boost::intrusive::constant_time_size<false>>
      unsent_;
  std::size_t unsent_count_ = 0;
  SteadyPoint unsent_since_;
  bool flush_posted_ = false;
  std::chrono::milliseconds period_;
  SteadyPoint now_;
  std::array<std::uint64_t, 4> random_state_{};
  ListenSocket pending_socket_;  // until start()
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace hotswap::net
