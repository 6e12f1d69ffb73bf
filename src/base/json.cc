#include "base/json.h"

#include <fmt/format.h>

#include "base/limits.h"

namespace hotswap {

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
