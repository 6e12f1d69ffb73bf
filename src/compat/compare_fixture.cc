#include "compat/compare_fixture.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compat/compare.h"
#include "compat/verdict.h"
#include "sandbox/wasm/interfaces.h"

namespace hotswap::compat {

std::vector<std::string> lines(const std::vector<Change>& changes) {
  std::vector<std::string> lines;
  for (const auto& change : changes) {
    lines.push_back(fmt::format("{} {} breaks {}", enum_name(change.kind), change.path, enum_name(change.breaks)));
  }
  return lines;
}

void expect_agreement(const Packages& before, const Packages& after, const std::string& world) {
  const auto parsed = [](const Packages& packages) {
    auto wit = wasm::parse_wit(packages);
    EXPECT_TRUE(wit) << wasm::to_error(wit.error()).detail;
    return wit ? *std::move(wit) : Wit{};
  };
  const Wit old_wit = parsed(before);
  const Wit new_wit = parsed(after);
  if (testing::Test::HasFailure()) return;
  const auto comparison =
      compare_worlds(old_wit, find_world(old_wit, world).value(), new_wit, find_world(new_wit, world).value());
  const auto expect = [&](Mode mode, const Packages& one, const Packages& other) {
    const auto check = wasm::semver_check(one, other, world);
    ASSERT_TRUE(check) << check.error().message;
    ASSERT_TRUE(check->compatible) << "the check is silent: " << check->reason;
    EXPECT_EQ(judge(comparison, mode).compatible, *check->compatible)
        << world << ", " << enum_name(mode) << ": " << check->reason << "\n"
        << fmt::format("{}", fmt::join(lines(comparison.changes), "\n"));
  };
  expect(Mode::Backward, before, after);
  expect(Mode::Forward, after, before);
}

}  // namespace hotswap::compat
