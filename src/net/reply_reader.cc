#include "net/reply_reader.h"

#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cctype>

namespace hotswap::net {
namespace {

constexpr std::uint32_t kHeadBytes = 64 * limits::kKiB;

HeaderList list_of(const http::fields& fields) {
  HeaderList list;
  for (const auto& field : fields) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    list.emplace_back(std::move(name), field.value());
  }
  return list;
}

}  // namespace

ReplyReader::ReplyReader(bool to_head_request, std::string& in) : to_head_request_(to_head_request), in_(in) {
  reset();
}

void ReplyReader::reset() {
  parser_.emplace();
  parser_->header_limit(kHeadBytes);
  parser_->body_limit(boost::none);
  parser_->skip(to_head_request_);
}

Result<bool> ReplyReader::parse() {
  if (in_.empty()) return false;
  boost::beast::error_code error;
  in_.erase(0, parser_->put(asio::const_buffer(in_.data(), in_.size()), error));
  if (error == http::error::need_more) return false;
  if (error && error != http::error::need_buffer) {
    return fail(ErrorKind::kUpstream, "the server's reply is no valid HTTP: " + error.message());
  }
  return true;
}

Result<std::optional<ClientResponse>> ReplyReader::take_head() {
  for (;;) {
    HS_TRY(const bool parsed, parse());
    if (!parsed) return std::nullopt;
    if (!parser_->is_header_done()) continue;
    if (parser_->get().result_int() / 100 == 1) {
      reset();
      continue;
    }
    ClientResponse head;
    head.status = parser_->get().result_int();
    head.headers = list_of(parser_->get());
    parser_->get().clear();  // what comes from now on are trailers
    return head;
  }
}

Result<std::size_t> ReplyReader::take_body(std::span<std::byte> into) {
  while (!done()) {
    parser_->get().body() = {into.data(), into.size(), true};
    HS_TRY(const bool parsed, parse());
    if (const std::size_t count = into.size() - parser_->get().body().size; count > 0) return count;
    if (!parsed) break;
  }
  return std::size_t{0};
}

Result<> ReplyReader::end_of_stream() {
  boost::beast::error_code error;
  if (!parser_->got_some()) return fail(ErrorKind::kUnavailable, "the server closed the connection without a reply");
  parser_->put_eof(error);
  if (error) return fail(ErrorKind::kUnavailable, "the server closed the connection within its reply");
  return {};
}

std::optional<std::uint64_t> ReplyReader::body_size() const {
  const auto size = parser_->content_length();
  return size ? std::optional<std::uint64_t>(*size) : std::nullopt;
}

HeaderList ReplyReader::trailers() const { return list_of(parser_->get()); }

}  // namespace hotswap::net
