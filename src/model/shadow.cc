#include "model/shadow.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "model/text_rules.h"

namespace hotswap {

std::string summary(const ShadowExample& example) {
  return fmt::format("{} ({}): {} became {}", example.request, example.differs, example.live, example.shadow);
}

std::string shortened(std::string_view text) {
  constexpr std::string_view kRest = "…";
  std::string kept(text);
  // Whatever a stranger's request holds, reports stay valid JSON.
  if (!is_plain_text(kept)) {
    std::ranges::replace_if(kept, [](char c) { return static_cast<unsigned char>(c - 0x20) >= 0x7f - 0x20; }, '?');
  }
  if (kept.size() > limits::kShadowExampleBytes) {
    std::size_t end = limits::kShadowExampleBytes - kRest.size();
    while (end > 0 && (static_cast<unsigned char>(kept[end]) & 0xC0U) == 0x80U) --end;  // not within a character
    kept.resize(end);
    kept += kRest;
  }
  return kept;
}

void keep_example(std::vector<ShadowExample>& examples, ShadowExample example) {
  const bool like = std::ranges::any_of(examples, [&example](const ShadowExample& kept) {
    return kept.request == example.request && kept.differs == example.differs;
  });
  if (!like && examples.size() < limits::kShadowExamples) examples.push_back(std::move(example));
}

}  // namespace hotswap
