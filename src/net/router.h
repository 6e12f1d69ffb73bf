// One visible table from method and URL pattern to handler.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace hotswap::net {

// Patterns are absolute paths whose segments may be "{name}" (one segment, percent-decoded into Exchange::params), or
// end in "/*" (any rest of one segment or more; "/a/*" takes "/a/", not "/a"). Literal segments win over "{name}" and
// "{name}" wins over "*", among the routes that have the request's method. An unknown path is a problem document with
// 404; a known path with another method is 405 with Allow; HEAD falls back to GET. Segments are compared decoded.
// Built before serving starts, immutable afterwards; look-ups are thread-safe and do not allocate for literal paths.
class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // `route` is "GET /api/v1/wasm/modules/{id}". Registering the same route twice is a bug (std::logic_error).
  void add(std::string_view route, Handler handler);
  // Where nothing else matches.
  void set_fallback(Handler handler);
  [[nodiscard]] Task<void> handle(Exchange& exchange) const;
  // Every registered route, for documentation and tests.
  [[nodiscard]] std::vector<std::string> routes() const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  Handler fallback_;
};

}  // namespace hotswap::net
