// Where a page ended, as an opaque text that only the same query accepts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"

namespace hotswap {

// The last row's sort keys.
using CursorKey = std::variant<std::string, std::int64_t>;
using CursorKeys = std::vector<CursorKey>;

// `query` describes the tenant, the filters and the order; a cursor of another query is refused.
[[nodiscard]] std::string encode_cursor(std::string_view query, const CursorKeys& keys);
// kInvalid naming the field "cursor" where `cursor` was not made for `query` or has not the keys of `shape`.
[[nodiscard]] Result<CursorKeys> decode_cursor(std::string_view query, std::string_view cursor,
                                               const CursorKeys& shape);

}  // namespace hotswap
