#include "net/local_exchange.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

namespace hotswap::net {

LocalExchange::LocalExchange(std::string target, std::string host, TraceContext trace, std::size_t limit)
    : target_(std::move(target)), trace_(trace), limit_(limit) {
  headers_.set(http::field::host, host);
}

std::string_view LocalExchange::path() const { return std::string_view(target_).substr(0, target_.find('?')); }

std::string_view LocalExchange::query() const {
  const auto mark = target_.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target_).substr(mark + 1);
}

std::string_view LocalExchange::header(http::field name) const {
  const auto found = headers_.find(name);
  return found == headers_.end() ? std::string_view() : std::string_view(found->value());
}

Task<Result<std::size_t>> LocalExchange::read_some(std::span<std::byte> /*into*/) { co_return std::size_t{0}; }

Task<Result<std::string>> LocalExchange::read_all(std::size_t /*limit*/) { co_return std::string(); }

Result<> LocalExchange::count(std::size_t bytes) {
  received_ += bytes;
  if (received_ <= limit_) return {};
  aborted_ = true;
  return fail(ErrorKind::kUnavailable, "the reply is larger than it may be");
}

Task<Result<>> LocalExchange::reply(unsigned status, std::string_view /*content_type*/, std::string_view body,
                                    std::span<const Header> /*headers*/) {
  status_ = status;
  finished_ = true;
  co_return count(body.size());
}

Task<Result<>> LocalExchange::begin(unsigned status, std::span<const Header> /*headers*/,
                                    std::optional<std::uint64_t> /*size*/) {
  status_ = status;
  co_return Result<>{};
}

Task<Result<>> LocalExchange::write(std::span<const std::byte> bytes) { co_return count(bytes.size()); }

Task<Result<>> LocalExchange::finish(std::span<const Header> /*trailers*/) {
  finished_ = true;
  co_return Result<>{};
}

Task<void> LocalExchange::peer_gone() {
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace hotswap::net
