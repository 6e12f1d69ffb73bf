// Beast's HTTP/1 parser, keeping what the product needs of a request and refusing what Beast lets pass.
#pragma once

#include <boost/beast/http/basic_parser.hpp>

#include <string>
#include <string_view>
#include <utility>

#include "net/http.h"

namespace hotswap::net {

// Storage of a request's head; reused for the next request of its connection.
struct RequestHead {
  std::string_view method;  // static text, or unknown_method
  std::string unknown_method;
  std::string target;
  http::fields fields;
  http::fields trailers;

  void clear() {
    target.clear();
    if (fields.begin() != fields.end()) fields.clear();
    if (trailers.begin() != trailers.end()) trailers.clear();
  }
};

// One request; put() bytes in, eager(false): one step each. Body bytes come out of take_piece().
class RequestParser final : public http::basic_parser<true> {
 public:
  explicit RequestParser(RequestHead& head) : head_(head) { body_limit(boost::none); }

  // Bytes of a body of stated length that are still to come.
  [[nodiscard]] std::uint64_t body_left() const { return content_length_remaining().value_or(0); }
  // At most this many bytes of body from the next put().
  void piece_limit(std::size_t limit) noexcept { piece_limit_ = limit; }
  [[nodiscard]] std::string_view take_piece() noexcept { return std::exchange(piece_, {}); }
  [[nodiscard]] bool http11() const noexcept { return version_ == 11; }
  [[nodiscard]] bool expects_continue() const noexcept { return expects_continue_; }
  // Why the head was refused, where put() failed with a header callback's error; else Beast's message says it.
  [[nodiscard]] std::string_view refusal() const noexcept { return refusal_; }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(http::verb method, string_view method_text, string_view target, int version,
                       error_code& error) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(http::field name, string_view name_text, string_view value, error_code& error) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code& error) override;
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view body, error_code& error) override;
  void on_finish_impl(error_code&) override {}

  void refuse(std::string_view why, error_code& error);

  RequestHead& head_;
  std::string_view piece_;
  std::string_view refusal_;
  std::size_t piece_limit_ = 0;
  int version_ = 11;
  int hosts_ = 0;
  bool header_done_ = false;
  bool expects_continue_ = false;
  bool transfer_encoding_ = false;
};

}  // namespace hotswap::net
