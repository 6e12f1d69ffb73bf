#include "node/shadow_exchange.h"

#include <boost/asio/as_tuple.hpp>

#include <array>

#include "base/limits.h"

namespace hotswap::node {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

// ---- the live one

void RecordingExchange::read(std::string_view bytes) {
  too_long_ = too_long_ || body_.size() + bytes.size() > limits::kShadowBodyBytes;
  if (too_long_) {
    body_ = {};
  } else {
    body_ += bytes;
  }
}

std::optional<net::LocalRequest> RecordingExchange::request() const {
  if (too_long_ || !live_.body_done()) return std::nullopt;
  return net::LocalRequest{.method = std::string(live_.method()),
                           .target = std::string(live_.target()),
                           .headers = live_.headers(),
                           .body = body_,
                           .trailers = live_.trailers(),
                           .peer = live_.peer(),
                           .trace = live_.trace()};
}

Task<void> RecordingExchange::read_rest() {
  if (!live_.header(net::http::field::expect).empty()) co_return;
  if (live_.body_size().value_or(0) > limits::kShadowBodyBytes) co_return;
  std::array<std::byte, 16 * limits::kKiB> buffer;
  while (!too_long_ && !live_.body_done()) {
    if (!co_await read_some(buffer)) co_return;
  }
}

Answer RecordingExchange::take_answer() {
  answer_.content.end();
  return std::move(answer_);
}

Task<Result<std::size_t>> RecordingExchange::read_some(std::span<std::byte> into) {
  const auto count = co_await live_.read_some(into);
  if (count) read(text_of(into.first(*count)));
  co_return count;
}

Task<Result<std::string>> RecordingExchange::read_all(std::size_t limit) {
  auto rest = co_await live_.read_all(limit);
  if (rest) read(*rest);
  co_return rest;
}

std::string_view RecordingExchange::buffered_body() {
  const std::string_view bytes = live_.buffered_body();
  read(bytes);
  return bytes;
}

Task<Result<>> RecordingExchange::reply(unsigned status, std::string_view content_type, std::string_view body,
                                        std::span<const net::Header> headers) {
  answer_.status = status;
  answer_.content.append(body);
  return live_.reply(status, content_type, body, headers);
}

Task<Result<>> RecordingExchange::begin(unsigned status, std::span<const net::Header> headers,
                                        std::optional<std::uint64_t> size) {
  answer_.status = status;
  return live_.begin(status, headers, size);
}

Task<Result<>> RecordingExchange::write(std::span<const std::byte> bytes) {
  answer_.content.append(text_of(bytes));
  return live_.write(bytes);
}

// ---- the copy

CopiedExchange::CopiedExchange(const asio::any_io_executor& home, const net::LocalRequest& request,
                               std::chrono::nanoseconds patience)
    : LocalExchange(request),
      patience_(home, std::chrono::steady_clock::now() +
                          std::chrono::duration_cast<std::chrono::steady_clock::duration>(patience)) {}

void CopiedExchange::end() {
  ended_ = true;
  patience_.cancel();
}

Answer CopiedExchange::take_answer() {
  content_.end();
  return {.status = replied() ? std::optional(status()) : std::nullopt, .content = std::move(content_)};
}

Result<> CopiedExchange::take(std::string_view bytes) {
  content_.append(bytes);
  return {};
}

Task<void> CopiedExchange::peer_gone() {
  if (!ended_) co_await patience_.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace hotswap::node
