#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"

namespace hotswap {
namespace {

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) ++at;
  return at;
}

// `at` is on the opening quote; returns the position after the closing one.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

std::size_t skip_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at) - 1;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']' || c == ',') && depth == 0) {
      break;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return std::min(at, text.size());
}

}  // namespace

std::string_view json_kind_name(const json::value& value) noexcept {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
  }
  return "an unknown value";
}

std::string_view raw_member(std::string_view object, std::string_view name) {
  std::string_view found;
  std::size_t at = skip_space(object, 0) + 1;  // after '{'
  while ((at = skip_space(object, at)) < object.size() && object[at] == '"') {
    const std::size_t key_end = skip_string(object, at);
    const auto key = object.substr(at + 1, key_end - at - 2);
    const std::size_t begin = skip_space(object, skip_space(object, key_end) + 1);  // after ':'
    const std::size_t end = skip_value(object, begin);
    if (key == name) {
      const auto value = object.substr(begin, end - begin);
      found = value.substr(0, value.find_last_not_of(" \t\r\n") + 1);
    }
    at = end + 1;  // after ','
  }
  return found;
}

Result<json::value> parse_json(std::string_view text, json::storage_ptr storage) {
  json::parse_options options;
  options.max_depth = limits::kJsonDepth;
  json::stream_parser parser({}, options);
  parser.reset(std::move(storage));
  json::error_code code;
  const std::size_t consumed = parser.write(text, code);
  if (!code) parser.finish(code);
  if (code) {
    return fail(ErrorKind::kInvalid,
                fmt::format("the body is not valid JSON: {} at byte {}", code.message(), consumed));
  }
  return parser.release();
}

}  // namespace hotswap
