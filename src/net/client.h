// An HTTP/1.1 client with kept-alive connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "net/http.h"

namespace hotswap::net {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct ClientResponse;

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query
  std::string host{};        // of the Host header; empty: the origin's
  HeaderList headers{};
  std::string body{};
  // Where set, the body is streamed instead: fills the span and returns the byte count, 0 at the end.
  std::function<Result<std::size_t>(std::span<std::byte>)> body_source{};
  std::uint64_t body_source_size = 0;  // 0: unknown, the body is sent in chunks
  // Of a streamed reply: called with status and headers before any byte of the body; returning false ends the request.
  std::function<bool(const ClientResponse&)> on_head{};
  // Called when bytes of the request have left: before it, nobody has seen the request.
  std::function<void()> on_sent{};
  std::chrono::milliseconds connect_timeout{30'000};  // of connecting alone, where it is the shorter one
  std::chrono::milliseconds timeout{30'000};          // from connecting to the whole reply (to the head, when streamed)
  std::size_t response_bytes = 64 * limits::kMiB;     // kUpstream where a body to be kept is larger
};

struct ClientResponse {
  unsigned status = 0;
  HeaderList headers{};  // names in lower case
  std::string body{};
  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;
};

// A request under way whose body is sent and whose reply is received piece by piece, both at the same time: one
// coroutine may write while another one reads. Destroyed before both have ended, it closes its connection.
class ClientStream {
 public:
  virtual ~ClientStream() = default;
  // The body's next bytes. kUnavailable where the server takes no more; its reply may be there all the same.
  virtual Task<Result<>> write(std::span<const std::byte> bytes) = 0;
  // The end of the body. Trailers are sent with a body of unknown size only.
  virtual Task<Result<>> finish(const HeaderList& trailers) = 0;
  // Status and headers of the reply, once; its `body` stays empty.
  virtual Task<Result<ClientResponse>> head() = 0;
  // After the head: bytes of the body that is to come; nullopt where the reply does not say.
  [[nodiscard]] virtual std::optional<std::uint64_t> body_size() const = 0;
  // After the head: the next bytes of the body; 0 at its end.
  virtual Task<Result<std::size_t>> read_some(std::span<std::byte> into) = 0;
  // After the body's end.
  [[nodiscard]] virtual HeaderList trailers() const = 0;
};

// One origin ("http://host:port"; https is not supported). Used on one executor, which must not run it in parallel.
// Idle connections are kept and reused; a request on a reused connection that the server closed before any byte of the
// reply is sent once more on a fresh one, unless its body came from a source, which is spent. Cancelling a call closes
// its connection. Calls must have ended before destruction. Errors: kInvalid (a request that cannot be sent),
// kUnavailable (no connection, or it broke), kDeadline (timeout), kUpstream (a reply that is no valid HTTP or too
// large); or whatever the body's source failed with.
class Client {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Client>> create(asio::any_io_executor executor, std::string_view origin);
  virtual ~Client() = default;
  virtual Task<Result<ClientResponse>> send(ClientRequest request) = 0;
  // The body is handed to `chunk` as it arrives and `body` stays empty; returning false ends the request.
  virtual Task<Result<ClientResponse>> stream(ClientRequest request, std::function<bool(std::string_view)> chunk) = 0;
  // Sends the head and, with it, the bytes of `request.body`, with which a body of `body_size` bytes begins (nullopt:
  // of unknown size). Nothing is ever sent twice: an idle connection that turns out to be closed is exchanged while
  // nothing was sent. `request.timeout` holds for the whole exchange. The client outlives the stream.
  virtual Task<Result<std::unique_ptr<ClientStream>>> open(ClientRequest request,
                                                           std::optional<std::uint64_t> body_size) = 0;
};

}  // namespace hotswap::net
