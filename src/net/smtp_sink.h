// For tests: smtp_sink.py as a child process, and the mail that it took.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "net/sink.h"

namespace hotswap::net {

class SmtpSink : public Sink {
 public:
  // Arguments of smtp_sink.py.
  explicit SmtpSink(std::vector<std::string> arguments = {}) : Sink("smtp_sink.py", std::move(arguments)) {}

  [[nodiscard]] std::string url(const std::string& scheme = "smtp") const { return scheme + "://localhost:" + port(); }
  // The next mail that it took: from, to, user, tls, headers, text.
  json::value mail() { return next(); }
};

}  // namespace hotswap::net
