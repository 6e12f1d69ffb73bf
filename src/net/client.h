// An HTTP/1.1 client with kept-alive connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http.h"

namespace hotswap::net {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Where set, the body is streamed instead: fills the span and returns the byte count, 0 at the end.
  std::function<Result<std::size_t>(std::span<std::byte>)> body_source;
  std::uint64_t body_source_size = 0;
  std::chrono::milliseconds timeout{30'000};  // from connecting to the whole reply (to the head, when streamed)
};

struct ClientResponse {
  unsigned status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;
};

// One origin ("http://host:port"). Used on one executor. Idle connections are kept and reused; a request on a reused
// connection that the server closed before any byte of the reply is sent once more on a fresh one.
class Client {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Client>> create(asio::any_io_executor executor, std::string_view origin);
  virtual ~Client() = default;
  virtual Task<Result<ClientResponse>> send(ClientRequest request) = 0;
  // The body is handed to `chunk` as it arrives and `body` stays empty; returning false ends the request.
  virtual Task<Result<ClientResponse>> stream(ClientRequest request, std::function<bool(std::string_view)> chunk) = 0;
};

}  // namespace hotswap::net
