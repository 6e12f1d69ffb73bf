#include "net/reply_head.h"

#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace hotswap::net {
namespace {

constexpr auto kTokenCharacters = [] {
  std::array<bool, 256> token{};
  for (unsigned c = '0'; c <= '9'; ++c) token[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) token[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) token[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) token[static_cast<unsigned char>(c)] = true;
  return token;
}();

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return kTokenCharacters[static_cast<unsigned char>(c)]; });
}

bool is_value(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return (static_cast<unsigned char>(c) >= ' ' && c != 0x7f) || c == '\t'; });
}

bool is(std::string_view name, std::string_view known) { return boost::beast::iequals(name, known); }

void append_hex(char*& at, std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) *at++ = kDigits[value >> shift & 15];
}

}  // namespace

Result<> check_fields(std::span<const Header> fields) {
  for (const auto& [name, value] : fields) {
    if (!is_token(name)) return fail(ErrorKind::kInternal, "'" + std::string(name) + "' is no header name");
    if (!is_value(value)) {
      return fail(ErrorKind::kInternal, "the value of header '" + std::string(name) + "' has a control character");
    }
  }
  return {};
}

void append_status_line(std::string& out, unsigned status) {
  if (status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
    return;
  }
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), status).ptr;
  const auto reason = http::obsolete_reason(http::int_to_status(status));
  out += "HTTP/1.1 ";
  out.append(digits.begin(), end);
  out += ' ';
  out.append(reason.data(), reason.size());
  out += "\r\n";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

void append_content_length(std::string& out, std::uint64_t size) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), size).ptr;
  append_field(out, "Content-Length", {digits.begin(), end});
}

void append_chunk_size(std::string& out, std::uint64_t size) {
  std::array<char, 16> digits{};
  out.append(digits.begin(), std::to_chars(digits.begin(), digits.end(), size, 16).ptr);
  out += "\r\n";
}

void append_traceparent(std::string& out, const TraceContext& trace) {
  constexpr std::string_view kTemplate = "traceparent: 00-00000000000000000000000000000000-0000000000000000-00\r\n";
  std::array<char, kTemplate.size()> line;
  std::memcpy(line.data(), kTemplate.data(), kTemplate.size());
  char* at = line.data() + 16;
  append_hex(at, trace.trace_high);
  append_hex(at, trace.trace_low);
  ++at;
  append_hex(at, trace.span);
  if (trace.sampled) at[2] = '1';
  out.append(line.data(), line.size());
}

bool append_handler_fields(std::string& out, std::span<const Header> fields) {
  bool close = false;
  for (const auto& [name, value] : fields) {
    if (is(name, "connection")) {
      close = close || is(value, "close");
    } else if (!is(name, "content-length") && !is(name, "transfer-encoding") && !is(name, "keep-alive") &&
               !is(name, "traceparent")) {
      append_field(out, name, value);
    }
  }
  return close;
}

}  // namespace hotswap::net
