#include "store/cursor.h"

#include "base/digest.h"

namespace hotswap {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// RFC 4648, section 5, without padding: a cursor stands in a URL.
std::string to_base64url(std::string_view bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) text += kAlphabet[(bits >> (count - 6)) & 63u];
  }
  if (count > 0) text += kAlphabet[(bits << (6 - count)) & 63u];
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>((bits >> count) & 255u);
    }
  }
  return bytes;
}

std::string fingerprint(std::string_view query) { return Sha256::of(query).hex().substr(0, 16); }

std::optional<CursorKeys> keys_of(const json::value& value, std::string_view query, const CursorKeys& shape) {
  const auto* array = value.if_array();
  if (array == nullptr || array->size() != shape.size() + 1) return std::nullopt;
  const auto* mark = array->front().if_string();
  if (mark == nullptr || std::string_view(*mark) != fingerprint(query)) return std::nullopt;
  CursorKeys keys;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const json::value& key = (*array)[i + 1];
    if (std::holds_alternative<std::string>(shape[i]) && key.is_string()) {
      keys.emplace_back(std::string(key.get_string()));
    } else if (std::holds_alternative<std::int64_t>(shape[i]) && key.is_int64()) {
      keys.emplace_back(key.get_int64());
    } else {
      return std::nullopt;
    }
  }
  return keys;
}

}  // namespace

std::string encode_cursor(std::string_view query, const CursorKeys& keys) {
  json::array array{json::string(fingerprint(query))};
  for (const auto& key : keys) {
    std::visit([&array](const auto& value) { array.emplace_back(value); }, key);
  }
  return to_base64url(json::serialize(array));
}

Result<CursorKeys> decode_cursor(std::string_view query, std::string_view cursor, const CursorKeys& shape) {
  if (const auto bytes = from_base64url(cursor)) {
    if (const auto value = parse_json(*bytes)) {
      if (auto keys = keys_of(*value, query, shape)) return *std::move(keys);
    }
  }
  return fail_fields({{"cursor", "is not the nextCursor of a page of this query; leave it out to begin again"}});
}

}  // namespace hotswap
