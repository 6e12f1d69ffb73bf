// An HTTP/1.1 server: thread per core, one acceptor per thread on the same port (SO_REUSEPORT).
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "net/http.h"

namespace hotswap::net {

// The process's I/O threads: one single-threaded io_context each. Everything on a request path stays on its thread.
class IoThreads {
 public:
  explicit IoThreads(std::size_t count);
  // Stops and joins.
  ~IoThreads();
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] asio::io_context& at(std::size_t index) noexcept;
  // Index of the calling I/O thread; size() on any other thread.
  [[nodiscard]] static std::size_t current() noexcept;
  void stop();

 private:
  struct Thread;
  std::vector<std::unique_ptr<Thread>> threads_;
};

// "127.0.0.1:8080", "[::1]:0", "localhost:8080", ":8080" (all interfaces).
[[nodiscard]] Result<tcp::endpoint> parse_endpoint(std::string_view text);

struct ServerOptions {
  std::string name;  // label of its metrics: "api" or "gateway"
  tcp::endpoint listen;
  std::size_t header_bytes;  // 431 beyond
};

// Pipelining, keep-alive, Expect: 100-continue, chunked both ways with trailers, HEAD, upgrade-free. Bad requests get a
// 400 problem document and a closed connection. An exception that leaves a handler is logged and answered with 500.
class Server {
 public:
  // Listens on every thread of `threads` at once; port 0 picks one free port for all.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(IoThreads& threads, ServerOptions options, Handler handler,
                                                             Tracer& tracer, Metrics& metrics);
  // Closes what is open without waiting.
  virtual ~Server() = default;
  [[nodiscard]] virtual tcp::endpoint endpoint() const = 0;
  // "http://127.0.0.1:8080"
  [[nodiscard]] virtual std::string url() const = 0;
  // Stops accepting, lets requests in flight end (replies say Connection: close), closes idle connections. Completes
  // when none is left, or after `at_most`, when the rest is cut. Returns how many were cut.
  virtual Task<std::size_t> drain(std::chrono::milliseconds at_most) = 0;
};

}  // namespace hotswap::net
