// Case-insensitive search that gives the same answer on every database: text is folded here, not by SQL's lower(),
// which knows only ASCII in SQLite and depends on the locale in PostgreSQL.
#pragma once

#include <string>
#include <string_view>

namespace hotswap {

// Lower case, code point by code point (Unicode simple mapping).
[[nodiscard]] std::string fold_case(std::string_view utf8);
// A LIKE pattern (ESCAPE '!') that finds `text`, folded, anywhere.
[[nodiscard]] std::string contains_pattern(std::string_view text);

}  // namespace hotswap
