// An HTTP/1.1 server: thread per core, one acceptor per thread on the same port (SO_REUSEPORT).
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/metrics.h"
#include "net/http.h"

namespace hotswap::net {

// The process's I/O threads: one single-threaded io_context each. Everything on a request path stays on its thread.
// Coroutines that have not ended are destroyed with it: declare it after what they use, and before the servers.
class IoThreads {
 public:
  explicit IoThreads(std::size_t count);
  // Stops and joins.
  ~IoThreads();
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] asio::io_context& at(std::size_t index) noexcept;
  // Index of the calling I/O thread; kNone, which is beyond every index, on any other thread.
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  [[nodiscard]] static std::size_t current() noexcept;
  // Ends and joins the threads.
  void stop();

 private:
  struct Thread;
  std::vector<std::unique_ptr<Thread>> threads_;
};

// "127.0.0.1:8080", "[::1]:0", "localhost:8080", ":8080" (all interfaces).
[[nodiscard]] Result<tcp::endpoint> parse_endpoint(std::string_view text);

// Checked by a sweep, so that they cost nothing per request: a timeout fires up to two sweeps late. The sweep runs
// every second, or faster where the shortest timeout asks for it.
struct ServerTimeouts {
  std::chrono::milliseconds idle = limits::kIdleConnection;         // keep-alive without a request
  std::chrono::milliseconds head = limits::kRequestHead;            // from the first byte to the end of the header
  std::chrono::milliseconds body_progress = limits::kBodyProgress;  // without a byte of body read, or of reply taken
  std::chrono::milliseconds linger{2'000};    // for a client to take the reply that refuses what it still sends
  std::chrono::milliseconds drain_idle{250};  // draining: for busy clients to send a next request on an idle connection
};

struct ServerOptions {
  std::string name{};  // label of its metrics: "api" or "gateway"
  tcp::endpoint listen{};
  std::size_t header_bytes = limits::kRequestHeaderBytes;              // 431 beyond
  std::size_t url_bytes = limits::kUrlBytes;                           // 414 beyond
  std::size_t connections_per_thread = limits::kConnectionsPerThread;  // 503 beyond
  std::size_t unread_body_bytes = 256 * limits::kKiB;  // read to keep the connection when a handler left its body
  ServerTimeouts timeouts{};
};

// Pipelining, keep-alive, Expect: 100-continue, chunked both ways with trailers, HEAD, upgrade-free. Bad requests get a
// 400 problem document and a closed connection. An exception that leaves a handler is logged and answered with 500.
class Server {
 public:
  // Listens on every thread of `threads` at once; port 0 picks one free port for all.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(IoThreads& threads, ServerOptions options, Handler handler,
                                                             Tracer& tracer, Metrics& metrics);
  // Closes what is open without waiting, and cancels handlers in flight. These may still unwind on their threads:
  // stop the IoThreads before destroying what handlers use.
  virtual ~Server() = default;
  [[nodiscard]] virtual tcp::endpoint endpoint() const = 0;
  // "http://127.0.0.1:8080"
  [[nodiscard]] virtual std::string url() const = 0;
  // Stops accepting, lets requests in flight end (replies say Connection: close), closes connections that stay idle
  // for ServerTimeouts::drain_idle. Completes when none is left, or after `at_most`, when the rest is cut. Returns how
  // many were cut. May be awaited on any executor.
  virtual Task<std::size_t> drain(std::chrono::milliseconds at_most) = 0;
};

}  // namespace hotswap::net
