// For the tests of this folder: a server on a free port, a client that sends exactly what it is told, and a way to run
// a coroutine to its end.
#pragma once

#include <arpa/inet.h>
#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "net/server.h"

namespace hotswap::net {

using namespace std::chrono_literals;

inline constexpr auto kPatience = 10s;  // for what must happen at once, on a machine however busy

// Waits for a condition that other threads change under update().
class Signal {
 public:
  template <class F>
  void update(F&& change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <class F>
  [[nodiscard]] bool wait(F&& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

template <class T>
T run(Task<T> task) {
  asio::io_context context;
  std::optional<T> result;
  asio::co_spawn(context, std::move(task), [&](std::exception_ptr thrown, T value) {
    if (thrown) std::rethrow_exception(thrown);
    result = std::move(value);
  });
  context.run_for(kPatience * 2);
  if (!result) throw std::runtime_error("the coroutine did not end in time");
  return std::move(*result);
}

class RawClient {
 public:
  explicit RawClient(const tcp::endpoint& endpoint) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{std::chrono::seconds(kPatience).count(), 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(socket_, endpoint.data(), static_cast<socklen_t>(endpoint.size())), 0);
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  static bool can_connect(const tcp::endpoint& endpoint) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = ::connect(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
    ::close(socket);
    return connected;
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void finish_sending() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  // Up to and with `end`; or whatever came before the connection's end.
  std::string read_until(std::string_view end) {
    std::size_t at = 0;
    while ((at = in_.find(end)) == std::string::npos && receive()) {
    }
    return take(at == std::string::npos ? in_.size() : at + end.size());
  }
  std::string read_exactly(std::size_t size) {
    while (in_.size() < size && receive()) {
    }
    return take(std::min(size, in_.size()));
  }
  // Everything until the server closes; reset() tells how it did.
  std::string read_to_end() {
    while (receive()) {
    }
    return take(in_.size());
  }
  // One reply with Content-Length: head and body.
  std::string read_reply() {
    std::string reply = read_until("\r\n\r\n");
    constexpr std::string_view kLength = "Content-Length: ";
    if (const auto at = reply.find(kLength); at != std::string::npos) {
      reply += read_exactly(std::stoul(reply.substr(at + kLength.size())));
    }
    return reply;
  }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool reset() const { return reset_; }

 private:
  bool receive() {
    std::array<char, 65536> bytes;
    const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (count > 0) in_.append(bytes.data(), static_cast<std::size_t>(count));
    ended_ = count == 0;
    reset_ = count < 0 && errno == ECONNRESET;
    return count > 0;
  }
  std::string take(std::size_t size) {
    std::string taken = in_.substr(0, size);
    in_.erase(0, size);
    return taken;
  }

  int socket_;
  std::string in_;
  bool ended_ = false;
  bool reset_ = false;
};

// A server with the given handler. Short timeouts are for the tests of timeouts alone.
class TestServer {
 public:
  explicit TestServer(Handler handler, ServerOptions options = {}, std::size_t threads = 1) : threads_(threads) {
    options.name = "test";
    options.listen = *parse_endpoint("127.0.0.1:0");
    server_ = *Server::start(threads_, std::move(options), std::move(handler), tracer_, metrics_);
  }
  ~TestServer() {
    server_.reset();
    threads_.stop();
  }

  [[nodiscard]] Server& server() { return *server_; }
  [[nodiscard]] tcp::endpoint endpoint() const { return server_->endpoint(); }
  [[nodiscard]] RawClient connect() const { return RawClient(endpoint()); }
  [[nodiscard]] double connections() { return metrics_.gauge("net.connections", "", {{"server", "test"}}).value(); }
  [[nodiscard]] std::uint64_t requests() {
    return metrics_.counter("net.requests.total", "", {{"server", "test"}}).value();
  }
  // Until the server has let go of every connection.
  [[nodiscard]] bool wait_for_no_connections() {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (connections() > 0) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

 private:
  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
  IoThreads threads_;
  std::unique_ptr<Server> server_;
};

// Replies with the request's method, path, query and body.
inline Task<void> echo(Exchange& exchange) {
  const auto body = co_await exchange.read_all(64 * limits::kMiB);
  if (!body) {
    std::ignore = co_await reply_problem(exchange, body.error());
    co_return;
  }
  const std::string text = std::string(exchange.method()) + " " + std::string(exchange.path()) + " " +
                           std::string(exchange.query()) + " " + *body;
  std::ignore = co_await exchange.reply(200, "text/plain", text);
}

}  // namespace hotswap::net
