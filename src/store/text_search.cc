#include "store/text_search.h"

#include <clocale>
#include <cwctype>

#include "model/text_rules.h"

namespace hotswap {
namespace {

// glibc's own C.UTF-8 knows Unicode's case tables; without it only ASCII folds.
char32_t lower(char32_t point) {
  static const locale_t unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (unicode != nullptr) return static_cast<char32_t>(towlower_l(static_cast<wint_t>(point), unicode));
  return point >= U'A' && point <= U'Z' ? point + (U'a' - U'A') : point;
}

// One code point of text that is known to be UTF-8, from `at` on, which moves behind it.
char32_t take_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  char32_t point = lead & (0x3Fu >> more);
  for (int i = 0; i < more; ++i) point = (point << 6) | (static_cast<unsigned char>(text[at++]) & 0x3Fu);
  return point;
}

void append_point(std::string& text, char32_t point) {
  const auto tail = [&text, point](int shift) { text += static_cast<char>(0x80u | ((point >> shift) & 0x3Fu)); };
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xC0u | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    text += static_cast<char>(0xE0u | (point >> 12));
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0u | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

std::string fold_case(std::string_view utf8) {
  if (!is_plain_text(utf8)) return std::string(utf8);
  std::string folded;
  folded.reserve(utf8.size());
  for (std::size_t at = 0; at < utf8.size();) append_point(folded, lower(take_point(utf8, at)));
  return folded;
}

std::string contains_pattern(std::string_view text) {
  std::string pattern = "%";
  for (const char c : fold_case(text)) {
    if (c == '%' || c == '_' || c == '!') pattern += '!';
    pattern += c;
  }
  return pattern + '%';
}

}  // namespace hotswap
