#include "net/request_parser.h"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

namespace hotswap::net {

void RequestParser::on_request_impl(http::verb method, string_view method_text, string_view target, int version,
                                    error_code&) {
  if (method == http::verb::unknown) {
    head_.unknown_method.assign(method_text.data(), method_text.size());
    head_.method = head_.unknown_method;
  } else {
    head_.method = http::to_string(method);
  }
  head_.target.assign(target.data(), target.size());
  version_ = version;
}

void RequestParser::on_field_impl(http::field name, string_view name_text, string_view value, error_code&) {
  if (header_done_) {
    head_.trailers.insert(name, name_text, value);
    return;
  }
  head_.fields.insert(name, name_text, value);
  if (name == http::field::host) {
    ++hosts_;
  } else if (name == http::field::expect) {
    expects_continue_ = boost::beast::iequals(value, "100-continue");
  } else if (name == http::field::transfer_encoding) {
    transfer_encoding_ = true;
  }
}

void RequestParser::on_header_impl(error_code& error) {
  header_done_ = true;
  // RFC 9112, section 3.2.
  if (hosts_ > 1 || (hosts_ == 0 && version_ == 11)) return refuse("the request needs exactly one Host header", error);
  // RFC 9112, section 6.1: what two servers could read as different messages is refused (request smuggling).
  if (transfer_encoding_ && !chunked()) {
    return refuse("Transfer-Encoding must be 'chunked': this server knows no other", error);
  }
  if (transfer_encoding_ && version_ != 11) return refuse("an HTTP/1.0 request cannot be chunked", error);
  expects_continue_ = expects_continue_ && version_ == 11 && !is_done();
}

std::size_t RequestParser::on_body_impl(string_view body, error_code&) {
  piece_ = std::string_view(body.data(), body.size()).substr(0, piece_limit_);
  return piece_.size();
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, string_view body, error_code& error) {
  return on_body_impl(body, error);
}

void RequestParser::refuse(std::string_view why, error_code& error) {
  refusal_ = why;
  error = http::make_error_code(http::error::bad_value);
}

}  // namespace hotswap::net
