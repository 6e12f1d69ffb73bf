// HTTP as the rest of the product sees it: a request being received and the reply to it, both streamed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/verb.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/trace.h"

namespace hotswap::net {

namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

using Header = std::pair<std::string_view, std::string_view>;

// One request on a connection and the means to answer it. Lives until its handler returns; used only on the
// connection's thread. Every string_view it returns lives as long as the exchange.
//
// Exactly one reply is sent: reply(), or begin() + write()* + finish(). A handler that returns without one makes the
// server answer 500. Failures of the connection come back as Error kUnavailable; the handler just returns then.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // ---- the request
  [[nodiscard]] virtual std::string_view method() const = 0;  // "GET"; also methods that Beast does not know
  [[nodiscard]] virtual std::string_view target() const = 0;  // path and query as received
  [[nodiscard]] virtual std::string_view path() const = 0;    // target without the query, not decoded
  [[nodiscard]] virtual std::string_view query() const = 0;   // without '?', not decoded
  [[nodiscard]] virtual const http::fields& headers() const = 0;
  [[nodiscard]] virtual std::string_view header(http::field name) const = 0;  // "" where absent
  [[nodiscard]] virtual tcp::endpoint peer() const = 0;
  // The request's trace context: its traceparent, or a new trace. Its id is also returned in the reply.
  [[nodiscard]] virtual const TraceContext& trace() const = 0;

  // Path parameters ("{id}") in the order of the pattern, percent-decoded; set by the router.
  [[nodiscard]] virtual const std::vector<std::string>& params() const = 0;
  // For the router alone.
  virtual void set_params(std::vector<std::string> /*params*/) {}

  // Size stated by Content-Length; nullopt for chunked. No body = 0.
  [[nodiscard]] virtual std::optional<std::uint64_t> body_size() const = 0;
  // Next bytes of the body into `into`; 0 at its end. Sends "100 Continue" first where the client waits for it.
  virtual Task<Result<std::size_t>> read_some(std::span<std::byte> into) = 0;
  // The rest of the body, at most `limit` bytes; kTooLarge beyond.
  virtual Task<Result<std::string>> read_all(std::size_t limit) = 0;
  // Takes the body bytes that have arrived already, without waiting; after this, body_done() tells whether that was
  // all (the rest comes from read_some or read_all). The fast path of small requests.
  [[nodiscard]] virtual std::string_view buffered_body() = 0;
  [[nodiscard]] virtual bool body_done() const = 0;
  // Trailers of a chunked body, after its end.
  [[nodiscard]] virtual const http::fields& trailers() const = 0;

  // ---- the reply
  // A whole reply with one write. `body` may point to anything that outlives the call's completion. A header with an
  // invalid name, or a line break in its value, is an Error kInternal and sends nothing. The server alone decides on
  // Content-Length, Transfer-Encoding and traceparent: a handler's are dropped. Connection: close is obeyed.
  virtual Task<Result<>> reply(unsigned status, std::string_view content_type, std::string_view body,
                               std::span<const Header> headers = {}) = 0;
  // A streamed reply: chunked where `size` is unknown. For a HEAD request the body is dropped by the server. The head
  // of a reply of known size goes out with the first write.
  virtual Task<Result<>> begin(unsigned status, std::span<const Header> headers, std::optional<std::uint64_t> size) = 0;
  virtual Task<Result<>> write(std::span<const std::byte> bytes) = 0;
  // Trailers are sent only with a chunked reply, else dropped.
  virtual Task<Result<>> finish(std::span<const Header> trailers = {}) = 0;
  // Cuts the connection: the way to say that a streamed reply failed half-way.
  virtual void abort() = 0;
  [[nodiscard]] virtual bool replied() const = 0;

  // Completes when the client has closed its side or the connection broke, or when it is cancelled (it does not throw
  // then); costs nothing until awaited. Must not be awaited while read_some is pending.
  virtual Task<void> peer_gone() = 0;
};

using Handler = std::function<Task<void>(Exchange&)>;

// A problem that is HTTP's own and therefore no ErrorKind, such as 431.
struct Problem {
  unsigned status = 500;
  std::string_view slug;   // last part of the document's `type`
  std::string_view title;  // the status's reason phrase
  std::string detail;
};

inline constexpr std::string_view kProblemType = "application/problem+json";

// All values of a header that may stand more than once, as one list; "" where it is absent.
[[nodiscard]] std::string values_of(const Exchange& exchange, std::string_view name);

// The problem document of RFC 9457 (type, title, status, detail, traceId, errors) for an error.
[[nodiscard]] std::string problem_document(const Problem& problem, const TraceContext& trace);
[[nodiscard]] std::string problem_document(const Error& error, const TraceContext& trace);
Task<Result<>> reply_problem(Exchange& exchange, const Error& error);
// 200 (or `status`) with a JSON body.
Task<Result<>> reply_json(Exchange& exchange, std::string_view body, unsigned status = 200);

// Decodes %XX and, with plus, '+'. Malformed escapes are an error.
[[nodiscard]] Result<std::string> percent_decode(std::string_view text, bool plus = false);
// Query parameters in order, decoded.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

}  // namespace hotswap::net
