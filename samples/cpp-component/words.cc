// A component in C++: the bindings are wit-bindgen's for C, the work is done with libc++.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text.h"

namespace {

std::map<std::string_view, std::uint32_t> count(std::string_view text) {
  constexpr std::string_view separators = " \t\r\n.,;:!?\"()";
  std::map<std::string_view, std::uint32_t> counts;
  while (true) {
    const auto begin = text.find_first_not_of(separators);
    if (begin == text.npos) return counts;
    text.remove_prefix(begin);
    const auto end = std::min(text.find_first_of(separators), text.size());
    ++counts[text.substr(0, end)];
    text.remove_prefix(end);
  }
}

}  // namespace

extern "C" void exports_demo_text_words_top(text_string_t *text, std::uint32_t limit,
                                            exports_demo_text_words_list_frequency_t *ret) {
  const auto counts = count({reinterpret_cast<const char *>(text->ptr), text->len});
  std::vector<std::pair<std::string_view, std::uint32_t>> ranked(counts.begin(), counts.end());
  std::ranges::stable_sort(ranked, std::ranges::greater{}, [](const auto &entry) { return entry.second; });
  ranked.resize(std::min<std::size_t>(ranked.size(), limit));

  // A result is freed with the component's allocator after the caller has copied it.
  ret->len = ranked.size();
  ret->ptr = static_cast<exports_demo_text_words_frequency_t *>(std::calloc(ranked.size() + 1, sizeof *ret->ptr));
  for (auto *entry = ret->ptr; const auto &[word, times] : ranked) {
    text_string_dup_n(&entry->word, word.data(), word.size());
    (entry++)->count = times;
  }
  text_string_free(text);
}
