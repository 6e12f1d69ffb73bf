// Reading query parameters: every failure at once, unknown names included.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "net/http.h"

namespace hotswap::control {

// Belongs to one coroutine. Read everything, then ask check().
class QueryParameters {
 public:
  QueryParameters(const net::Exchange& exchange, std::initializer_list<std::string_view> known);

  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most);
  [[nodiscard]] bool flag(std::string_view name);

  template <DescribedEnum E>
  [[nodiscard]] std::optional<E> enumerator(std::string_view name) {
    const auto given = text(name);
    if (!given) return std::nullopt;
    const auto value = enum_from_name<E>(*given);
    if (!value) error(name, "expected one of " + enum_names<E>() + ", got \"" + *given + "\"");
    return value;
  }

  void error(std::string_view name, std::string message) { errors_.push_back({std::string(name), std::move(message)}); }
  // kInvalid with every failure so far.
  [[nodiscard]] Result<> check() const;

 private:
  std::vector<std::pair<std::string, std::string>> given_;
  std::vector<FieldError> errors_;
};

}  // namespace hotswap::control
