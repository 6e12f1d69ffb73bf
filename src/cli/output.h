// How a command's result reaches the caller: the API's document as JSON or YAML, or text made for people.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/api.h"
#include "cli/context.h"

namespace hotswap::cli {

// JSON: the server's text unchanged. YAML: the same document. Table: `as_table`.
void print_result(Context& context, const Document& document, const std::function<void()>& as_table);
// The width that tables are cut to: none where the output is read by another program.
[[nodiscard]] std::size_t table_width(const Context& context);
[[nodiscard]] bool colored(const Context& context);
// A line about what to do next; left out with --quiet and with machine-readable output.
void print_hint(Context& context, std::string_view line);

[[nodiscard]] std::string to_yaml(const json::value& value);

// ---- reading documents leniently: a server newer than this program may add members, and an older one lack some
[[nodiscard]] const json::value& member(const json::value& value, std::string_view name);
// A string as it is, null and absent as "", anything else as JSON.
[[nodiscard]] std::string text_of(const json::value& value);
[[nodiscard]] std::string text_of(const json::value& value, std::string_view name);
[[nodiscard]] std::uint64_t number_of(const json::value& value, std::string_view name);
// Elements joined by ", ".
[[nodiscard]] std::string joined(const json::value& array, std::string_view separator = ", ");
// "3m ago"; "" where absent.
[[nodiscard]] std::string age_of(const Context& context, const json::value& value, std::string_view name);
[[nodiscard]] const json::array& items_of(const json::value& list);

}  // namespace hotswap::cli
