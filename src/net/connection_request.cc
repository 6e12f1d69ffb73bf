// The request's side of Connection: body, in whatever pieces it arrives.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cstring>

#include "net/connection.h"
#include "net/listener.h"

namespace hotswap::net {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::deferred);
constexpr std::size_t kBodyBuffer = 64 * limits::kKiB;
// From here on a body is received where the handler wants it, without the buffer in between.
constexpr std::size_t kDirectReceive = 4 * limits::kKiB;

}  // namespace

std::string_view Connection::path() const {
  const std::string_view whole = head_.target;
  return whole.substr(0, whole.find('?'));
}

std::string_view Connection::query() const {
  const std::string_view whole = head_.target;
  const std::size_t mark = whole.find('?');
  return mark == std::string_view::npos ? std::string_view{} : whole.substr(mark + 1);
}

std::string_view Connection::header(http::field name) const {
  const auto found = head_.fields.find(name);
  if (found == head_.fields.end()) return {};
  return {found->value().data(), found->value().size()};
}

std::optional<std::uint64_t> Connection::body_size() const {
  if (parser_->chunked()) return std::nullopt;
  return parser_->content_length().value_or(0);
}

Task<Result<std::size_t>> Connection::read_some(std::span<std::byte> into) {
  if (into.empty()) co_return 0;
  for (;;) {
    HS_CO_TRY(const std::string_view piece, take_piece(into.size()));
    if (!piece.empty()) {
      std::memcpy(into.data(), piece.data(), piece.size());
      co_return piece.size();
    }
    if (body_done()) co_return 0;
    if (owes_continue_ && !replied()) HS_CO_CHECK(co_await send_continue());
    if (parser_->chunked() || into.size() < kDirectReceive) {
      HS_CO_CHECK(co_await fill());
      continue;
    }
    const std::uint64_t left = parser_->body_left();
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left));
    HS_CO_TRY(const std::size_t count, co_await receive(reinterpret_cast<char*>(into.data()), size));
    boost::beast::error_code ignored;
    parser_->piece_limit(count);
    parser_->put(asio::const_buffer(into.data(), count), ignored);
    std::ignore = parser_->take_piece();
    co_return count;
  }
}

Task<Result<std::string>> Connection::read_all(std::size_t limit) {
  const auto too_large = [limit] {
    return fail(ErrorKind::kTooLarge, "the request's body may have " + std::to_string(limit) + " bytes");
  };
  if (!parser_->chunked() && parser_->body_left() > limit) co_return too_large();
  // A stated length is believed only as far as bytes have come, so that a lie costs no memory.
  constexpr std::uint64_t kStep = 64 * limits::kKiB;
  std::string body;
  while (!body_done()) {
    const std::size_t have = body.size();
    const std::uint64_t step = parser_->chunked() ? kStep : std::clamp<std::uint64_t>(parser_->body_left(), 1, kStep);
    body.resize(have + step);
    const auto count = co_await read_some(std::as_writable_bytes(std::span(body).subspan(have)));
    if (!count) co_return std::unexpected(count.error());
    body.resize(have + *count);
    if (body.size() > limit) co_return too_large();
  }
  co_return body;
}

std::string_view Connection::buffered_body() {
  if (!parser_->chunked()) {
    const auto piece = take_piece(SIZE_MAX);
    in_.pin();
    return piece.value_or(std::string_view{});
  }
  std::string all;
  for (;;) {
    const auto piece = take_piece(SIZE_MAX);
    if (!piece || piece->empty()) break;
    all += *piece;
  }
  return gathered_.emplace_back(std::move(all));
}

Result<std::string_view> Connection::take_piece(std::size_t limit) {
  if (body_error_) return std::unexpected(*body_error_);
  parser_->piece_limit(limit);
  while (!parser_->is_done() && !in_.empty()) {
    boost::beast::error_code error;
    const std::string_view bytes = in_.unread();
    in_.consume(parser_->put(asio::const_buffer(bytes.data(), bytes.size()), error));
    if (error == http::error::need_more) break;
    if (error) return body_failed(ErrorKind::kInvalid, "the request's body is no valid HTTP: " + error.message());
    if (const std::string_view piece = parser_->take_piece(); !piece.empty()) return piece;
  }
  return std::string_view{};
}

Task<Result<std::size_t>> Connection::receive(char* into, std::size_t size) {
  if (broken_) co_return broken();
  arm(Wait::kBody);
  const auto [error, count] = co_await socket_.async_read_some(asio::mutable_buffer(into, size), kAwait);
  const bool late = expired_;
  disarm();
  owes_continue_ = false;
  if (!error) co_return count;
  // Cancelled by whoever was reading: what is to come can still be read.
  if (error == asio::error::operation_aborted && !late && !broken_) {
    co_return fail(ErrorKind::kUnavailable, "reading the request's body was cancelled");
  }
  if (late) co_return body_failed(ErrorKind::kTimeout, "the request's body did not arrive in time");
  peer_closed_ = true;
  co_return body_failed(ErrorKind::kUnavailable, "the client closed the connection before the end of its request");
}

Task<Result<>> Connection::fill() {
  const auto [data, size] = in_.room(kBodyBuffer);
  // Chunk extensions and trailers are parsed as a whole.
  if (size == 0) co_return body_failed(ErrorKind::kInvalid, "a chunk's head or the trailers are too large");
  HS_CO_TRY(const std::size_t count, co_await receive(data, size));
  in_.commit(count);
  co_return Result<>{};
}

Task<Result<>> Connection::send_continue() {
  owes_continue_ = false;
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  co_return co_await send({asio::buffer(kContinue)});
}

// What follows on the connection cannot be understood any more.
std::unexpected<Error> Connection::body_failed(ErrorKind kind, std::string detail) {
  close_ = true;
  body_error_ = Error{kind, std::move(detail), {}};
  return std::unexpected(*body_error_);
}

Task<void> Connection::peer_gone() {
  while (!broken_ && !peer_closed_) {
    const auto [data, size] = in_.room(kBodyBuffer);
    boost::system::error_code error;
    if (size > 0) {
      // Bytes of the next request are kept; only so can the end that may follow them be seen.
      const auto [failure, count] = co_await socket_.async_read_some(asio::mutable_buffer(data, size), kAwait);
      error = failure;
      in_.commit(count);
    } else {
      std::tie(error) = co_await socket_.async_wait(Socket::wait_error, kAwait);
      if (!error) peer_closed_ = true;
    }
    if (error == asio::error::operation_aborted && !broken_) co_return;  // cancelled; an exception would cost more
    if (error) peer_closed_ = true;
  }
}

}  // namespace hotswap::net
