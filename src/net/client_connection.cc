#include "net/client_connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>

#include "net/reply_head.h"

namespace hotswap::net {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::deferred);
constexpr std::size_t kReadBytes = 16 * limits::kKiB;
constexpr std::uint32_t kHeadBytes = 64 * limits::kKiB;

asio::const_buffer buffer(std::string_view text) { return {text.data(), text.size()}; }

bool is_text(std::string_view text) {
  return !text.empty() &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; });
}

Result<> check(const ClientRequest& request) {
  if (!is_text(request.method)) return fail(ErrorKind::kInvalid, "'" + request.method + "' is no HTTP method");
  if (!is_text(request.target)) return fail(ErrorKind::kInvalid, "'" + request.target + "' is no request target");
  for (const auto& [name, value] : request.headers) {
    const Header header{name, value};
    if (auto checked = check_fields({&header, 1}); !checked) {
      return fail(ErrorKind::kInvalid, std::move(checked.error().detail));
    }
  }
  return {};
}

bool has_body(const ClientRequest& request) {
  return !request.body.empty() || (request.method != "GET" && request.method != "HEAD" && request.method != "DELETE");
}

using Parser = http::response_parser<http::buffer_body>;

ClientResponse head_of(const Parser& parser) {
  ClientResponse response;
  response.status = parser.get().result_int();
  for (const auto& field : parser.get()) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    response.headers.emplace_back(std::move(name), field.value());
  }
  return response;
}

}  // namespace

// Reads one reply off a connection. Lives in one exchange's coroutine.
class ReplyReader {
 public:
  ReplyReader(const ClientRequest& request, const ChunkHandler& chunk, std::string& in)
      : request_(request), chunk_(chunk), in_(in) {
    reset();
  }

  [[nodiscard]] bool head_done() const { return parser_->is_header_done(); }
  [[nodiscard]] bool done() const { return parser_->is_done() || ended_; }
  [[nodiscard]] bool keep_alive() const { return !ended_ && parser_->is_done() && parser_->keep_alive(); }
  [[nodiscard]] ClientResponse& response() { return response_; }

  // Parses what is in `in`; more is needed unless done().
  Result<> parse() {
    while (!in_.empty() && !done()) {
      std::array<char, kReadBytes> piece;
      parser_->get().body() = {piece.data(), piece.size(), true};
      boost::beast::error_code error;
      const bool had_head = parser_->is_header_done();
      in_.erase(0, parser_->put(asio::const_buffer(in_.data(), in_.size()), error));
      if (error == http::error::need_more) break;
      if (error && error != http::error::need_buffer) return malformed(error.message());
      if (!had_head && parser_->is_header_done() && !take_head()) continue;
      HS_CHECK(take({piece.data(), had_head ? piece.size() - parser_->get().body().size : 0}));
    }
    return {};
  }

  Result<> end_of_stream() {
    boost::beast::error_code error;
    if (!parser_->got_some()) return fail(ErrorKind::kUnavailable, "the server closed the connection without a reply");
    parser_->put_eof(error);
    if (error) return fail(ErrorKind::kUnavailable, "the server closed the connection within its reply");
    return {};
  }

 private:
  void reset() {
    parser_.emplace();
    parser_->header_limit(kHeadBytes);
    parser_->body_limit(boost::none);
    parser_->skip(request_.method == "HEAD");
  }

  // False for an interim reply, such as "100 Continue", which another one follows.
  bool take_head() {
    if (parser_->get().result_int() / 100 == 1) {
      reset();
      return false;
    }
    response_ = head_of(*parser_);
    if (request_.on_head && !request_.on_head(response_)) ended_ = true;
    return true;
  }

  Result<> take(std::string_view bytes) {
    if (bytes.empty() || ended_) return {};
    if (chunk_) {
      ended_ = !chunk_(bytes);
    } else {
      response_.body += bytes;
      if (response_.body.size() > request_.response_bytes) {
        return fail(ErrorKind::kUpstream,
                    "the server's reply is larger than " + std::to_string(request_.response_bytes) + " bytes");
      }
    }
    return {};
  }

  static std::unexpected<Error> malformed(const std::string& why) {
    return fail(ErrorKind::kUpstream, "the server's reply is no valid HTTP: " + why);
  }

  const ClientRequest& request_;
  const ChunkHandler& chunk_;
  std::string& in_;
  std::optional<Parser> parser_;
  ClientResponse response_;
  bool ended_ = false;  // by the handler of chunks
};

Task<Result<>> ClientConnection::connect(const Origin& origin) {
  std::string host = origin.host;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto [error, addresses] = co_await resolver_.async_resolve(host, origin.port, kAwait);
  if (error || timed_out_) co_return failed("resolving " + host, error);
  const auto [connect_error, endpoint] = co_await asio::async_connect(socket_, addresses, kAwait);
  if (connect_error || timed_out_) co_return failed("connecting to " + origin.host + ":" + origin.port, connect_error);
  boost::system::error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  co_return Result<>{};
}

Task<Result<ClientResponse>> ClientConnection::exchange(const ClientRequest& request, const Origin& origin,
                                                        const ChunkHandler& chunk) {
  keep_ = false;
  committed_ = false;
  HS_CO_CHECK(check(request));
  if (request.on_sending) request.on_sending();
  HS_CO_CHECK(co_await send_head(request, origin));
  // A server that refuses a streamed body may answer and close before it has read it all: its answer counts.
  std::optional<Error> send_error;
  if (request.body_source) {
    if (auto sent = co_await send_source(request); !sent) {
      if (sent.error().kind != ErrorKind::kUnavailable) co_return std::unexpected(sent.error());
      send_error = sent.error();
    }
  }
  ReplyReader reader(request, chunk, in_);
  HS_CO_CHECK(reader.parse());
  while (!reader.done()) {
    const std::size_t have = in_.size();
    in_.resize(have + kReadBytes);
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(in_.data() + have, kReadBytes), kAwait);
    in_.resize(have + count);
    if (count > 0) committed_ = true;
    if (error == asio::error::eof && !timed_out_) {
      if (auto end = reader.end_of_stream(); !end) co_return std::unexpected(send_error.value_or(end.error()));
      break;
    }
    if (error) co_return std::unexpected(send_error.value_or(failed("reading the reply", error).error()));
    HS_CO_CHECK(reader.parse());
    if (chunk && reader.head_done()) clear_deadline();
  }
  keep_ = reader.keep_alive() && !send_error && in_.empty();
  co_return std::move(reader.response());
}

Task<Result<>> ClientConnection::send_head(const ClientRequest& request, const Origin& origin) {
  out_ = request.method + " " + request.target + " HTTP/1.1\r\n";
  append_field(out_, "Host", origin.authority());
  for (const auto& [name, value] : request.headers) {
    if (boost::beast::iequals(name, "host") || boost::beast::iequals(name, "content-length") ||
        boost::beast::iequals(name, "transfer-encoding")) {
      continue;
    }
    append_field(out_, name, value);
  }
  if (!request.body_source) {
    if (has_body(request)) append_content_length(out_, request.body.size());
  } else if (request.body_source_size > 0) {
    append_content_length(out_, request.body_source_size);
  } else {
    append_field(out_, "Transfer-Encoding", "chunked");
  }
  out_ += "\r\n";
  const std::array parts{buffer(out_), buffer(request.body_source ? std::string_view{} : request.body)};
  co_return co_await send(parts);
}

Task<Result<>> ClientConnection::send_source(const ClientRequest& request) {
  const bool chunked = request.body_source_size == 0;
  std::uint64_t left = request.body_source_size;
  std::vector<std::byte> bytes(64 * limits::kKiB);
  for (;;) {
    HS_CO_TRY(const std::size_t count, request.body_source(bytes));
    committed_ = true;
    if (count == 0) break;
    if (!chunked && count > left) co_return fail(ErrorKind::kInvalid, "the request's body is longer than stated");
    left -= chunked ? 0 : count;
    out_.clear();
    if (chunked) append_chunk_size(out_, count);
    const std::array parts{buffer(out_), asio::const_buffer(bytes.data(), count),
                           buffer(chunked ? std::string_view("\r\n") : std::string_view{})};
    HS_CO_CHECK(co_await send(parts));
  }
  if (left > 0) co_return fail(ErrorKind::kInvalid, "the request's body is shorter than stated");
  if (!chunked) co_return Result<>{};
  const std::array parts{buffer("0\r\n\r\n")};
  co_return co_await send(parts);
}

Task<Result<>> ClientConnection::send(std::span<const asio::const_buffer> parts) {
  const auto [error, count] = co_await asio::async_write(socket_, parts, kAwait);
  if (error || timed_out_) co_return failed("sending the request", error);
  co_return Result<>{};
}

void ClientConnection::set_deadline(std::chrono::milliseconds timeout) {
  timeout_ = timeout;
  timed_out_ = false;
  timer_.expires_after(timeout);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto connection = weak.lock();
    // The timer may have been set anew while this was on its way.
    if (error || connection == nullptr || connection->timer_.expiry() > std::chrono::steady_clock::now()) return;
    connection->timed_out_ = true;
    connection->close();
  });
}

void ClientConnection::clear_deadline() { timer_.expires_at(std::chrono::steady_clock::time_point::max()); }

bool ClientConnection::reusable() {
  if (!keep_ || timed_out_ || !socket_.is_open()) return false;
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void ClientConnection::close() {
  boost::system::error_code ignored;
  resolver_.cancel();
  socket_.close(ignored);
}

std::unexpected<Error> ClientConnection::failed(std::string_view doing, const boost::system::error_code& error) const {
  if (timed_out_) {
    return fail(ErrorKind::kDeadline,
                std::string(doing) + ": no end within " + std::to_string(timeout_.count()) + " ms");
  }
  return fail(ErrorKind::kUnavailable, std::string(doing) + ": " + error.message());
}

}  // namespace hotswap::net
