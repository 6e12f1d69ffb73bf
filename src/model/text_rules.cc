#include "model/text_rules.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "base/limits.h"

namespace hotswap {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter_or_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string named(std::string_view name, std::string_view also, std::string_view allowed) {
  if (name.empty()) return "is required";
  if (name.size() > limits::kNameBytes) {
    return fmt::format("is {} characters long; at most {} are allowed", name.size(), limits::kNameBytes);
  }
  const auto fits = [also](char c) { return is_letter_or_digit(c) || also.contains(c); };
  if (!std::ranges::all_of(name, fits)) return fmt::format("must contain only {}", allowed);
  return {};
}

bool is_dns_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::ranges::all_of(label, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  std::string_view rest = name;
  std::string_view label;
  while (true) {
    const auto dot = rest.find('.');
    label = rest.substr(0, dot);
    if (!is_dns_label(label)) return false;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // A last label of digits is an IPv4 address or a mistyped one (RFC 1123, section 2.1), never a name.
  return !std::ranges::all_of(label, is_digit);
}

bool is_ip(int family, std::string_view text) {
  std::array<unsigned char, 16> address{};
  return !text.contains('\0') && inet_pton(family, std::string(text).c_str(), address.data()) == 1;
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  return code == std::errc() && end == text.data() + text.size() && text.front() != '0' && port <= 65535;
}

}  // namespace

std::string name_problem(std::string_view name) { return named(name, "_-", "letters, digits, dashes and underscores"); }

std::string node_name_problem(std::string_view name) {
  return named(name, "_-.", "letters, digits, dashes, underscores and dots");
}

bool is_plain_text(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead == 0) return false;
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || i + size > text.size()) return false;
    char32_t point = lead & (0x7Fu >> size);
    for (std::size_t k = 1; k < size; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if ((byte & 0xC0u) != 0x80u) return false;
      point = (point << 6) | (byte & 0x3Fu);
    }
    const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (overlong || surrogate || point > 0x10FFFF) return false;
    i += size;
  }
  return true;
}

bool is_host(std::string_view host) {
  if (host.starts_with('[')) return host.ends_with(']') && is_ip(AF_INET6, host.substr(1, host.size() - 2));
  return is_dns_name(host) || is_ip(AF_INET, host);
}

bool is_host_pattern(std::string_view pattern) {
  if (pattern.starts_with("*.")) return is_dns_name(pattern.substr(2));
  const auto colon = pattern.rfind(':');
  const auto bracket = pattern.rfind(']');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (!has_port) return is_host(pattern);
  return is_host(pattern.substr(0, colon)) && is_port(pattern.substr(colon + 1));
}

std::string RuleBook::below(std::string_view member) const {
  return path_.empty() ? std::string(member) : path_ + '.' + std::string(member);
}

void RuleBook::broken(std::string_view member, std::string message) {
  errors_.push_back({below(member), std::move(message)});
}

void RuleBook::broken_at(std::string_view member, std::size_t index, std::string message) {
  errors_.push_back({fmt::format("{}[{}]", below(member), index), std::move(message)});
}

void RuleBook::range(std::string_view member, long long value, long long least, long long most) {
  if (value < least || value > most) {
    broken(member, fmt::format("must be between {} and {}, got {}", least, most, value));
  }
}

void RuleBook::add(std::vector<FieldError> errors) { std::ranges::move(errors, std::back_inserter(errors_)); }

}  // namespace hotswap
