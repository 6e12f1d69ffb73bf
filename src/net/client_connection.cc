#include "net/client_connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <sys/socket.h>

#include <algorithm>

#include "net/reply_head.h"

namespace hotswap::net {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::deferred);
constexpr std::size_t kReadBytes = 16 * limits::kKiB;

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

BodySize body_size(const ClientRequest& request) {
  if (request.body_source) {
    return {.bytes = request.body_source_size > 0 ? std::optional(request.body_source_size) : std::nullopt};
  }
  return {.any = !request.body.empty() || usually_has_body(request.method), .bytes = request.body.size()};
}

}  // namespace

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
  HS_CO_CHECK(co_await start(request, origin, body_size(request)));
  // A server that refuses a streamed body may answer and close before it has read it all: its answer counts.
  std::optional<Error> send_error;
  if (request.body_source) {
    if (auto sent = co_await send_source(request); !sent) {
      if (sent.error().kind != ErrorKind::kUnavailable) co_return std::unexpected(sent.error());
      send_error = sent.error();
    }
  }
  ReplyReader reader(request.method == "HEAD", in_);
  auto response = co_await receive_head(reader);
  if (!response) co_return std::unexpected(send_error.value_or(response.error()));
  if (request.on_head && !request.on_head(*response)) co_return response;
  if (chunk) clear_deadline();
  std::array<std::byte, kReadBytes> piece;
  for (;;) {
    const auto count = co_await receive_body(reader, piece);
    if (!count) co_return std::unexpected(send_error.value_or(count.error()));
    if (*count == 0) break;
    const std::string_view bytes(reinterpret_cast<const char*>(piece.data()), *count);
    if (chunk) {
      if (!chunk(bytes)) co_return response;
      continue;
    }
    response->body += bytes;
    if (response->body.size() > request.response_bytes) {
      co_return fail(ErrorKind::kUpstream,
                     "the server's reply is larger than " + std::to_string(request.response_bytes) + " bytes");
    }
  }
  if (!send_error) end(reader);
  co_return response;
}

Task<Result<>> ClientConnection::start(const ClientRequest& request, const Origin& origin, BodySize size) {
  keep_ = false;
  committed_ = false;
  sent_ = false;
  HS_CO_CHECK(check(request));
  out_ = request.method + " " + request.target + " HTTP/1.1\r\n";
  append_field(out_, "Host", request.host.empty() ? origin.authority() : request.host);
  for (const auto& [name, value] : request.headers) {
    if (boost::beast::iequals(name, "host") || boost::beast::iequals(name, "content-length") ||
        boost::beast::iequals(name, "transfer-encoding")) {
      continue;
    }
    append_field(out_, name, value);
  }
  const bool chunked = size.any && !size.bytes;
  if (chunked) append_field(out_, "Transfer-Encoding", "chunked");
  if (size.any && size.bytes) append_content_length(out_, *size.bytes);
  out_ += "\r\n";
  const std::string_view first = request.body_source ? std::string_view{} : request.body;
  const bool in_chunk = chunked && !first.empty();
  if (in_chunk) append_chunk_size(out_, first.size());
  const std::array parts{buffer(out_), buffer(first), buffer(in_chunk ? "\r\n" : "")};
  auto done = co_await send(parts);
  if (sent_ && request.on_sent) request.on_sent();
  co_return done;
}

Task<Result<ClientResponse>> ClientConnection::receive_head(ReplyReader& reader) {
  for (;;) {
    HS_CO_TRY(auto head, reader.take_head());
    if (head) co_return *std::move(head);
    HS_CO_CHECK(co_await receive(reader));
  }
}

Task<Result<std::size_t>> ClientConnection::receive_body(ReplyReader& reader, std::span<std::byte> into) {
  for (;;) {
    HS_CO_TRY(const std::size_t count, reader.take_body(into));
    if (count > 0 || reader.done()) co_return count;
    HS_CO_CHECK(co_await receive(reader));
  }
}

Task<Result<>> ClientConnection::receive(ReplyReader& reader) {
  const std::size_t have = in_.size();
  in_.resize(have + kReadBytes);
  const auto [error, count] = co_await socket_.async_read_some(asio::buffer(in_.data() + have, kReadBytes), kAwait);
  in_.resize(have + count);
  if (count > 0) committed_ = true;
  if (error == asio::error::eof && !timed_out_) co_return reader.end_of_stream();
  if (error) co_return failed("reading the reply", error);
  co_return Result<>{};
}

void ClientConnection::end(const ReplyReader& reader) { keep_ = reader.keep_alive() && in_.empty(); }

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
  sent_ = sent_ || count > 0;
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
