#include "node/shadow_exchange.h"

#include <boost/asio/as_tuple.hpp>

#include <array>
#include <cstring>

#include "base/limits.h"

namespace hotswap::node {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Answer ended(Answer answer) {
  answer.content.end();
  return answer;
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

std::optional<CopiedRequest> RecordingExchange::request() const {
  if (too_long_ || !live_.body_done()) return std::nullopt;
  return CopiedRequest{.method = std::string(live_.method()),
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

Answer RecordingExchange::take_answer() { return ended(std::move(answer_)); }

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

CopiedExchange::CopiedExchange(const asio::any_io_executor& home, const CopiedRequest& request,
                               std::chrono::nanoseconds patience)
    : request_(request),
      patience_(home, std::chrono::steady_clock::now() +
                          std::chrono::duration_cast<std::chrono::steady_clock::duration>(patience)) {}

void CopiedExchange::end() {
  ended_ = true;
  patience_.cancel();
}

Answer CopiedExchange::take_answer() { return ended(std::move(answer_)); }

std::string_view CopiedExchange::path() const { return target().substr(0, target().find('?')); }

std::string_view CopiedExchange::query() const {
  const std::size_t mark = target().find('?');
  return mark == std::string_view::npos ? std::string_view{} : target().substr(mark + 1);
}

std::string_view CopiedExchange::header(net::http::field name) const {
  const auto found = request_.headers.find(name);
  if (found == request_.headers.end()) return {};
  return {found->value().data(), found->value().size()};
}

std::string_view CopiedExchange::buffered_body() {
  const std::string_view rest = std::string_view(request_.body).substr(read_);
  read_ = request_.body.size();
  return rest;
}

Task<Result<std::size_t>> CopiedExchange::read_some(std::span<std::byte> into) {
  const std::size_t count = std::min(into.size(), request_.body.size() - read_);
  std::memcpy(into.data(), request_.body.data() + read_, count);
  read_ += count;
  co_return count;
}

Task<Result<std::string>> CopiedExchange::read_all(std::size_t limit) {
  if (request_.body.size() - read_ > limit) co_return fail(ErrorKind::kTooLarge, "the copied body is too long");
  co_return std::string(buffered_body());
}

Task<Result<>> CopiedExchange::reply(unsigned status, std::string_view, std::string_view body,
                                     std::span<const net::Header>) {
  answer_.status = status;
  answer_.content.append(body);
  co_return Result<>{};
}

Task<Result<>> CopiedExchange::begin(unsigned status, std::span<const net::Header>, std::optional<std::uint64_t>) {
  answer_.status = status;
  co_return Result<>{};
}

Task<Result<>> CopiedExchange::write(std::span<const std::byte> bytes) {
  answer_.content.append(text_of(bytes));
  co_return Result<>{};
}

Task<Result<>> CopiedExchange::finish(std::span<const net::Header>) { co_return Result<>{}; }

Task<void> CopiedExchange::peer_gone() {
  if (!ended_) co_await patience_.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace hotswap::node
