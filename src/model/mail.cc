#include "model/mail.h"

#include <algorithm>

#include "model/text_rules.h"

namespace hotswap {

bool is_mail_address(std::string_view text) {
  constexpr std::string_view kLocal = "!#$%&'*+-/=?^_`{|}~.";
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || text.size() > kMailAddressBytes) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  const std::string_view local = text.substr(0, at);
  const bool plain = std::ranges::all_of(local, [&](char c) { return letter(c) || kLocal.contains(c); });
  return plain && !local.starts_with('.') && !local.ends_with('.') && !local.contains("..") &&
         is_host(text.substr(at + 1));
}

}  // namespace hotswap
