// hs_sim [--seeds N] [--seed S]: runs N simulated fleets, or the one of a seed. A failure prints its seed, what of the
// scenario it needs, and the end of what happened.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "run.h"

namespace hotswap::sim {
namespace {

constexpr std::size_t kTraceLines = 60;

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The rule without the names and numbers of one run.
std::string kind_of(std::string_view rule) {
  std::string kind;
  for (const char c : rule.substr(0, rule.find_first_of(":{"))) {
    if (c < '0' || c > '9') kind += c;
  }
  return kind;
}

// Takes away what the failure does not need, as long as the same rule still breaks.
void explain(Scenario scenario, Failure failure) {
  for (bool smaller_found = true; smaller_found;) {
    smaller_found = false;
    for (const auto& less : smaller(scenario)) {
      auto still = run(less);
      if (!still || kind_of(still->rule) != kind_of(failure.rule)) continue;
      scenario = less;
      failure = *std::move(still);
      smaller_found = true;
      break;
    }
  }
  fmt::print("  shortened to {}\n  {}\n", describe(scenario), failure.rule);
  const auto& trace = failure.trace;
  const std::size_t skipped = trace.size() > kTraceLines ? trace.size() - kTraceLines : 0;
  if (skipped > 0) fmt::print("  ({} earlier lines left out)\n", skipped);
  for (std::size_t i = skipped; i < trace.size(); ++i) fmt::print("  {}\n", trace[i]);
}

int simulate(std::uint64_t first, std::uint64_t count) {
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const Scenario scenario = scenario_of(seed);
    auto failure = run(scenario);
    if (!failure) continue;
    fmt::print("seed {} failed: {}\n  {}\n", seed, failure->rule, describe(scenario));
    explain(scenario, *std::move(failure));
    fmt::print("again: ./dev sim --seed {}\n", seed);
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  fmt::print("{} seeds held every invariant in {:.1f} s\n", count, took.count());
  return 0;
}

}  // namespace
}  // namespace hotswap::sim

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t count = 2000;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    const auto value = i + 1 < argc ? hotswap::sim::number(argv[i + 1]) : std::nullopt;
    if (!value || (option != "--seeds" && option != "--seed")) {
      fmt::print(stderr, "usage: hs_sim [--seeds N] [--seed S]\n");
      return 2;
    }
    (option == "--seeds" ? count : first) = *value;
    if (option == "--seed") count = 1;
  }
  return hotswap::sim::simulate(first, count);
}
