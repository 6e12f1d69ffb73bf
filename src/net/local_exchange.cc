#include "net/local_exchange.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstring>

namespace hotswap::net {

std::string_view LocalExchange::path() const { return target().substr(0, target().find('?')); }

std::string_view LocalExchange::query() const {
  const auto mark = target().find('?');
  return mark == std::string_view::npos ? std::string_view() : target().substr(mark + 1);
}

std::string_view LocalExchange::header(http::field name) const {
  const auto found = request_.headers.find(name);
  if (found == request_.headers.end()) return {};
  return {found->value().data(), found->value().size()};
}

std::string_view LocalExchange::buffered_body() {
  const std::string_view rest = std::string_view(request_.body).substr(read_);
  read_ = request_.body.size();
  return rest;
}

Task<Result<std::size_t>> LocalExchange::read_some(std::span<std::byte> into) {
  const std::size_t count = std::min(into.size(), request_.body.size() - read_);
  std::memcpy(into.data(), request_.body.data() + read_, count);
  read_ += count;
  co_return count;
}

Task<Result<std::string>> LocalExchange::read_all(std::size_t limit) {
  if (request_.body.size() - read_ > limit) {
    co_return fail(ErrorKind::kTooLarge, "the request's body is larger than it may be");
  }
  co_return std::string(buffered_body());
}

Result<> LocalExchange::take_or_abort(std::string_view bytes) {
  auto taken = take(bytes);
  aborted_ = aborted_ || !taken;
  return taken;
}

Task<Result<>> LocalExchange::reply(unsigned status, std::string_view /*content_type*/, std::string_view body,
                                    std::span<const Header> /*headers*/) {
  status_ = status;
  finished_ = true;
  co_return take_or_abort(body);
}

Task<Result<>> LocalExchange::begin(unsigned status, std::span<const Header> /*headers*/,
                                    std::optional<std::uint64_t> /*size*/) {
  status_ = status;
  co_return Result<>{};
}

Task<Result<>> LocalExchange::write(std::span<const std::byte> bytes) {
  co_return take_or_abort({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Task<Result<>> LocalExchange::finish(std::span<const Header> /*trailers*/) {
  finished_ = true;
  co_return Result<>{};
}

Task<void> LocalExchange::peer_gone() {
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
}

Result<> BoundedExchange::take(std::string_view bytes) {
  if (bytes.size() > left_) return fail(ErrorKind::kUnavailable, "the reply is larger than it may be");
  left_ -= bytes.size();
  return {};
}

}  // namespace hotswap::net
