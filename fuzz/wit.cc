// Two versions of a package, as somebody registers them: whatever they hold, they are refused with a place, or
// compared. A text against itself has no changes, and what one direction breaks for callers the other breaks for
// implementers.
#include "base/json.h"
#include "compat/compare.h"
#include "compat/verdict.h"
#include "fuzz/pieces.h"
#include "sandbox/wasm/interfaces.h"

namespace {

using namespace hotswap;

std::optional<compat::Wit> parse(std::string_view text) {
  auto wit = wasm::parse_wit({{{"fuzz.wit", std::string(text)}}});
  if (wit) return *std::move(wit);
  const auto& problem = wit.error();
  fuzz::require(!problem.message.empty(), "a problem says what it is");
  fuzz::require(problem.line == 0 || problem.column > 0, "a problem on a line has a column");
  fuzz::require(!wasm::to_error(problem).detail.empty(), "a problem becomes an error");
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // "====" on a line of its own parts the two versions.
  const std::string_view text = fuzz::text_of(data, size);
  constexpr std::string_view kPart = "\n====\n";
  const auto at = text.find(kPart);
  const auto before = parse(text.substr(0, at));
  if (before) {
    const auto same = compat::compare(*before, *before);
    fuzz::require(same.has_value() && same->changes.empty(), "a package against itself has no changes");
  }
  const auto after = at == std::string_view::npos ? before : parse(text.substr(at + kPart.size()));
  if (!before || !after) return 0;
  const auto there = compat::compare(*before, *after);
  const auto back = compat::compare(*after, *before);
  fuzz::require(there.has_value() && back.has_value(), "packages can be compared");
  for (const auto& change : there->changes) {
    fuzz::require(!change.path.empty(), "a change has a path");
    fuzz::require(parse_json(to_json_text(change)).has_value(), "a change is valid JSON");
  }
  const auto compatible = [](const compat::Comparison& comparison, compat::Mode mode) {
    return compat::judge(comparison, mode).compatible;
  };
  fuzz::require(compatible(*there, compat::Mode::Full) ==
                    (compatible(*there, compat::Mode::Backward) && compatible(*there, compat::Mode::Forward)),
                "Full is both");
  fuzz::require(there->changes.empty() == back->changes.empty(), "there are changes in both directions or in none");
  return 0;
}
