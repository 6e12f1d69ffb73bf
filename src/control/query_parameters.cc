#include "control/query_parameters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace hotswap::control {

QueryParameters::QueryParameters(const net::Exchange& exchange, std::initializer_list<std::string_view> known) {
  auto parsed = net::parse_query(exchange.query());
  if (!parsed) {
    error("query", parsed.error().detail);
    return;
  }
  given_ = *std::move(parsed);
  std::set<std::string_view> seen;
  for (const auto& [name, value] : given_) {
    if (std::ranges::find(known, name) == known.end()) {
      error(name, known.size() == 0
                      ? "unknown query parameter; there are none here"
                      : fmt::format("unknown query parameter; known ones are {}", fmt::join(known, ", ")));
    } else if (!seen.insert(name).second) {
      error(name, "is given more than once");
    }
  }
}

std::optional<std::string> QueryParameters::text(std::string_view name) const {
  const auto found = std::ranges::find(given_, name, &std::pair<std::string, std::string>::first);
  if (found == given_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::int64_t> QueryParameters::integer(std::string_view name, std::int64_t least, std::int64_t most) {
  const auto given = text(name);
  if (!given) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(given->data(), given->data() + given->size(), value);
  if (code != std::errc() || end != given->data() + given->size() || value < least || value > most) {
    error(name, fmt::format("expected an integer from {} to {}, got \"{}\"", least, most, *given));
    return std::nullopt;
  }
  return value;
}

bool QueryParameters::flag(std::string_view name) {
  const auto given = text(name);
  if (!given || *given == "false") return false;
  if (*given != "true") error(name, fmt::format("expected true or false, got \"{}\"", *given));
  return true;
}

Result<> QueryParameters::check() const {
  if (!errors_.empty()) return fail_fields(errors_);
  return {};
}

}  // namespace hotswap::control
