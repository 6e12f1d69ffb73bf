// Formats the head of a reply by hand into a reused string.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/http.h"

namespace hotswap::net {

// Names must be tokens and values without control characters, or a handler could forge a second reply.
[[nodiscard]] Result<> check_fields(std::span<const Header> fields);

void append_status_line(std::string& out, unsigned status);
// "Name: value\r\n"
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_content_length(std::string& out, std::uint64_t size);
// "1f\r\n"
void append_chunk_size(std::string& out, std::uint64_t size);
// "traceparent: 00-…-01\r\n"
void append_traceparent(std::string& out, const TraceContext& trace);
// The handler's headers without those that the server decides on. True where one of them is Connection: close.
[[nodiscard]] bool append_handler_fields(std::string& out, std::span<const Header> fields);
// Whether a reply with this status never has a body (RFC 9112, section 6.3).
[[nodiscard]] constexpr bool bodiless(unsigned status) noexcept {
  return status < 200 || status == 204 || status == 304;
}

}  // namespace hotswap::net
