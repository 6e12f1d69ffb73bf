// Requests to servers that people state in settings, by HTTP or HTTPS (libcurl).
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/task.h"

namespace hotswap::net {

struct WebRequest {
  std::string method = "GET";
  std::string url{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::chrono::milliseconds timeout{10'000};  // of all of it
  std::size_t response_bytes = 0;             // the largest body that is taken
};

struct WebResponse {
  unsigned status = 0;
  std::string body{};
};

// Sends on a thread of its own, many at once, and keeps connections. Redirects are not followed, proxies of the
// environment are not used, and certificates are always held against the name of the server. Any thread; the contexts
// in which its answers are awaited outlive this.
class WebClient {
 public:
  // `ca_file`: PEM, in place of the system's certificates; empty: the system's.
  explicit WebClient(std::string ca_file = {});
  ~WebClient();
  WebClient(const WebClient&) = delete;
  WebClient& operator=(const WebClient&) = delete;

  // Any status is a response. kDeadline, kUpstream (no connection, no trust, no HTTP, too large), kUnavailable after
  // stop(). Cannot be cancelled half-way.
  Task<Result<WebResponse>> send(WebRequest request);
  // Ends what is under way, and what is asked for later.
  void stop();

 private:
  class Loop;

  std::unique_ptr<Loop> loop_;
  std::jthread thread_;
};

}  // namespace hotswap::net
