#include "net/listener.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <random>

#include "base/log.h"
#include "net/connection.h"
#include "net/reply_head.h"

namespace hotswap::net {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::deferred);
constexpr std::chrono::milliseconds kAcceptPause{100};
// Replies that are sent together, and how long the first of them may wait for the others.
constexpr std::size_t kUnsentReplies = 32;
constexpr std::chrono::microseconds kUnsentTime{400};

std::chrono::milliseconds sweep_period(const ServerTimeouts& timeouts) {
  const auto shortest = std::min({timeouts.idle, timeouts.head, timeouts.body_progress, timeouts.linger});
  return std::clamp(shortest / 4, std::chrono::milliseconds(5), std::chrono::milliseconds(1000));
}

void report(std::exception_ptr thrown, std::string_view what) {
  if (thrown == nullptr) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return;  // cut
    log::error(what, "", {{"error", error.what()}});
  } catch (const std::exception& exception) {
    log::error(what, "", {{"error", exception.what()}});
  }
}

}  // namespace

Listener::Listener(asio::io_context& context, std::shared_ptr<const ServerShared> shared, ListenSocket socket)
    : executor_(context.get_executor()),
      shared_(std::move(shared)),
      acceptor_(executor_),
      sweep_timer_(executor_),
      drained_timer_(executor_),
      period_(sweep_period(timeouts())),
      now_(std::chrono::steady_clock::now()),
      pending_socket_(std::move(socket)) {
  std::random_device seed;
  for (std::uint64_t& word : random_state_) word = (static_cast<std::uint64_t>(seed()) << 32 | seed()) | 1;
}

Listener::~Listener() = default;

void Listener::start() {
  acceptor_.assign(shared_->options.listen.protocol(), pending_socket_.release());
  const auto run = [this](auto loop) {
    asio::co_spawn(
        executor_, [](auto self, auto member) -> Task<void> { co_await (*self.*member)(); }(shared_from_this(), loop),
        [](std::exception_ptr thrown) { report(thrown, "listener failed"); });
  };
  run(&Listener::accept_loop);
  run(&Listener::sweep_loop);
}

Task<void> Listener::accept_loop() {
  while (acceptor_.is_open()) {
    Connection::Socket socket(executor_);
    tcp::endpoint peer;
    const auto [error] = co_await acceptor_.async_accept(socket, peer, kAwait);
    if (!error) {
      accepted(std::move(socket), peer);
    } else if (acceptor_.is_open() && error != asio::error::connection_aborted) {
      // Most likely the process is out of file descriptors; connections wait in the kernel meanwhile.
      log::error("accept failed", "", {{"server", shared_->options.name}, {"error", error.message()}});
      asio::steady_timer pause(executor_, kAcceptPause);
      std::ignore = co_await pause.async_wait(kAwait);
    }
  }
}

void Listener::accepted(Connection::Socket socket, const tcp::endpoint& peer) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  if (connection_count_ >= shared_->options.connections_per_thread) {
    shared_->refused.add();
    const std::string document = problem_document(
        Error{ErrorKind::kUnavailable, "this server's bound of connections is reached", {}}, new_trace());
    std::string reply;
    append_status_line(reply, 503);
    append_field(reply, "Content-Type", kProblemType);
    append_content_length(reply, document.size());
    reply += "Connection: close\r\n\r\n" + document;
    std::ignore = ::send(socket.native_handle(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  const auto connection = std::make_shared<Connection>(shared_from_this(), std::move(socket), peer);
  // The completion handler keeps the connection, and with it the cancellation signal, until the coroutine is done with
  // both; hence also the post.
  asio::co_spawn(executor_, connection->run(),
                 asio::bind_cancellation_slot(connection->cancellation(),
                                              [connection, executor = executor_](std::exception_ptr thrown) mutable {
                                                report(thrown, "connection failed");
                                                asio::post(executor, [connection] {});
                                              }));
}

Task<void> Listener::sweep_loop() {
  while (!closed_ && (!draining_ || connection_count_ > 0)) {
    const auto period =
        draining_ ? std::min(period_, std::max(timeouts().drain_idle / 4, std::chrono::milliseconds(1))) : period_;
    sweep_timer_.expires_after(period);
    std::ignore = co_await sweep_timer_.async_wait(kAwait);
    now_ = std::chrono::steady_clock::now();
    for (Connection& connection : connections_) connection.sweep(now_);
  }
}

void Listener::begin_drain() {
  if (draining_ || closed_) return;
  draining_ = true;
  accept_backlog();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  now_ = std::chrono::steady_clock::now();
  period_ = std::min(period_, std::max(timeouts().drain_idle / 4, std::chrono::milliseconds(1)));
  for (Connection& connection : connections_) connection.begin_drain();
  sweep_timer_.cancel();
}

// Clients that the kernel has accepted already would be reset by closing the acceptor.
void Listener::accept_backlog() {
  boost::system::error_code error;
  acceptor_.non_blocking(true, error);
  while (!error) {
    Connection::Socket socket(executor_);
    tcp::endpoint peer;
    acceptor_.accept(socket, peer, error);
    if (!error) accepted(std::move(socket), peer);
  }
}

Task<std::size_t> Listener::drained(SteadyPoint until) {
  drained_timer_.expires_at(until);
  while (connection_count_ > 0 && std::chrono::steady_clock::now() < until) {
    std::ignore = co_await drained_timer_.async_wait(kAwait);
    drained_timer_.expires_at(until);
  }
  co_return cut_all();
}

void Listener::close() {
  closed_ = true;
  draining_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  sweep_timer_.cancel();
  flush();
  std::ignore = cut_all();
}

std::size_t Listener::cut_all() {
  std::size_t count = 0;
  for (auto at = connections_.begin(); at != connections_.end(); ++count) {
    Connection& connection = *at++;
    connection.cut();
  }
  return count;
}

void Listener::flush_later(Connection& connection) {
  const SteadyPoint now = std::chrono::steady_clock::now();
  if (unsent_.empty()) {
    unsent_count_ = 0;
    unsent_since_ = now;
  }
  unsent_.push_back(connection);
  if (++unsent_count_ >= kUnsentReplies || now - unsent_since_ >= kUnsentTime) {
    flush();
  } else if (!flush_posted_) {
    // Runs behind everything that is ready now.
    flush_posted_ = true;
    asio::post(executor_, [self = shared_from_this()] {
      self->flush_posted_ = false;
      self->flush();
    });
  }
}

void Listener::flush() {
  while (!unsent_.empty()) {
    Connection& connection = unsent_.front();
    unsent_.pop_front();
    connection.flush();
  }
}

void Listener::add(Connection& connection) {
  connections_.push_back(connection);
  ++connection_count_;
  shared_->connections.add(1);
}

void Listener::removed() noexcept {
  --connection_count_;
  shared_->connections.add(-1);
  if (draining_ && connection_count_ == 0) drained_timer_.cancel();
}

// xoshiro256++: these numbers name requests, they keep no secret.
TraceContext Listener::new_trace() noexcept {
  const auto next = [this] {
    auto& s = random_state_;
    const std::uint64_t result = std::rotl(s[0] + s[3], 23) + s[0];
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = std::rotl(s[3], 45);
    return result;
  };
  return {next(), next() | 1, next() | 1, false};
}

}  // namespace hotswap::net
