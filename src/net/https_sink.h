// For tests: https_sink.py as a child process, and the requests that it was sent.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "net/sink.h"

namespace hotswap::net {

class HttpsSink : public Sink {
 public:
  // Arguments of https_sink.py.
  explicit HttpsSink(std::vector<std::string> arguments = {}) : Sink("https_sink.py", std::move(arguments)) {}

  [[nodiscard]] std::string url(const std::string& host = "localhost") const {
    return "https://" + host + ':' + port();
  }
  // The next request that it was sent: method, path, headers, body.
  json::value request() { return next(); }
};

}  // namespace hotswap::net
