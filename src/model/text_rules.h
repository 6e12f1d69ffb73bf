// Rules about text that several nouns share. Each answers a question about one value; messages are the caller's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hotswap {

// ^[a-zA-Z0-9_-]+$ and at most limits::kNameBytes: the rule for module names and regions. Empty = it holds.
[[nodiscard]] std::string name_problem(std::string_view name);
// As name_problem, and dots are allowed: node ids are often host names.
[[nodiscard]] std::string node_name_problem(std::string_view name);

// Well-formed UTF-8 without NUL: what both databases can hold as text.
[[nodiscard]] bool is_plain_text(std::string_view text) noexcept;

// A DNS name (labels of letters, digits and inner dashes), an IPv4 address, or an IPv6 address in brackets.
[[nodiscard]] bool is_host(std::string_view host);
// As above with an optional ":port", or "*." before a DNS name.
[[nodiscard]] bool is_host_pattern(std::string_view pattern);

// Collects broken rules below one path.
class RuleBook {
 public:
  explicit RuleBook(std::string path = {}) : path_(std::move(path)) {}

  void broken(std::string_view member, std::string message);
  void broken_at(std::string_view member, std::size_t index, std::string message);
  void require(bool holds, std::string_view member, std::string_view message) {
    if (!holds) broken(member, std::string(message));
  }
  void range(std::string_view member, long long value, long long least, long long most);
  void add(std::vector<FieldError> errors);
  [[nodiscard]] std::vector<FieldError> take() { return std::move(errors_); }

 private:
  [[nodiscard]] std::string below(std::string_view member) const;

  std::string path_;
  std::vector<FieldError> errors_;
};

}  // namespace hotswap
