#include "compat/verdict.h"

#include <gtest/gtest.h>

namespace hotswap::compat {
namespace {

Change change(Breaks breaks, ModulesDo modules = ModulesDo::Call) {
  return {.kind = ChangeKind::FunctionRemoved,
          .path = "a:b/c.f",
          .was = "func()",
          .is = {},
          .breaks = breaks,
          .modules = modules,
          .hint = {}};
}

Comparison versions(const std::string& from, const std::string& to, std::vector<Change> changes) {
  return {.subject = Subject::Contract, .from_version = from, .to_version = to, .changes = std::move(changes)};
}

TEST(Modes, FollowFromWhichEndOfTheLinkModulesAre) {
  struct Row {
    Breaks breaks;
    ModulesDo modules;
    bool backward, forward;
  };
  const Row rows[] = {
      {Breaks::None, ModulesDo::Both, true, true},
      {Breaks::Callers, ModulesDo::Call, false, true},
      {Breaks::Callers, ModulesDo::Implement, true, false},
      {Breaks::Implementers, ModulesDo::Call, true, false},
      {Breaks::Implementers, ModulesDo::Implement, false, true},
      {Breaks::Callers, ModulesDo::Both, false, false},
      {Breaks::Both, ModulesDo::Call, false, false},
      {Breaks::Both, ModulesDo::Implement, false, false},
  };
  for (const auto& row : rows) {
    const Change one = change(row.breaks, row.modules);
    const std::string what = std::string(enum_name(row.breaks)) + " " + std::string(enum_name(row.modules));
    EXPECT_EQ(compatible(one, Subject::Contract, Mode::Backward), row.backward) << what;
    EXPECT_EQ(compatible(one, Subject::Contract, Mode::Forward), row.forward) << what;
    EXPECT_EQ(compatible(one, Subject::Contract, Mode::Full), row.backward && row.forward) << what;
    EXPECT_TRUE(compatible(one, Subject::Contract, Mode::None)) << what;
    // A module is seen from the other side of its links.
    EXPECT_EQ(compatible(one, Subject::Module, Mode::Backward), row.forward) << what;
    EXPECT_EQ(compatible(one, Subject::Module, Mode::Forward), row.backward) << what;
  }
}

TEST(Modes, AVerdictCountsWhatBreaks) {
  const auto verdict =
      judge(versions("1.0.0", "2.0.0", {change(Breaks::Callers), change(Breaks::Implementers), change(Breaks::Both)}),
            Mode::Backward);
  EXPECT_FALSE(verdict.compatible);
  EXPECT_EQ(verdict.breaking, 2U);
}

struct Row {
  std::string from, to;
  Breaks breaks;
  VersionStep needed, taken;
  std::string suggested;  // empty where the version suffices
};

TEST(Version, ABreakingChangeNeedsTheFirstNumberThatIsNotZero) {
  using enum VersionStep;
  const Row rows[] = {
      {"1.2.3", "2.0.0", Breaks::Callers, Major, Major, ""},
      {"1.2.3", "1.3.0", Breaks::Callers, Major, Minor, "2.0.0"},
      {"1.2.3", "1.2.4", Breaks::Callers, Major, Patch, "2.0.0"},
      {"1.2.3", "1.2.3", Breaks::Callers, Major, None, "2.0.0"},
      {"1.2.3", "1.3.0", Breaks::Implementers, Minor, Minor, ""},
      {"1.2.3", "1.2.4", Breaks::Implementers, Minor, Patch, "1.3.0"},
      {"1.2.3", "1.2.4", Breaks::None, Patch, Patch, ""},
      {"1.2.3", "1.2.3", Breaks::None, Patch, None, "1.2.4"},
      {"0.2.1", "0.3.0", Breaks::Callers, Minor, Minor, ""},
      {"0.2.1", "0.2.2", Breaks::Callers, Minor, Patch, "0.3.0"},
      {"0.2.1", "0.2.2", Breaks::Implementers, Patch, Patch, ""},
      {"0.0.1", "0.0.2", Breaks::Callers, Patch, Patch, ""},
      {"0.2.1", "1.0.0", Breaks::Callers, Minor, Major, ""},
      {"2.0.0", "1.9.0", Breaks::None, Patch, Major, "2.0.1"},
      {"1.0.0-rc.1", "1.0.0-rc.2", Breaks::Callers, Major, None, ""},
      {"", "", Breaks::Callers, Major, None, ""},
  };
  for (const auto& row : rows) {
    const auto verdict = judge(versions(row.from, row.to, {change(row.breaks)}), Mode::None).version;
    const std::string what = row.from + " to " + row.to + " " + std::string(enum_name(row.breaks));
    EXPECT_EQ(verdict.needed, row.needed) << what;
    EXPECT_EQ(verdict.taken, row.taken) << what;
    EXPECT_EQ(verdict.suggested, row.suggested) << what;
    EXPECT_EQ(verdict.suffices, row.suggested.empty()) << what;
    EXPECT_EQ(verdict.problem.empty(), row.suggested.empty()) << what << ": " << verdict.problem;
  }
}

TEST(Version, IsNamedWhereABreakingChangeHidesInASmallStep) {
  const auto verdict = judge(versions("1.2.0", "1.2.1", {change(Breaks::Both)}), Mode::Backward).version;
  EXPECT_EQ(verdict.problem, "a breaking change in a patch version: 1.2.0 → 1.2.1; 2.0.0 is needed");
  const auto added = judge(versions("1.2.0", "1.2.1", {change(Breaks::Implementers)}), Mode::Backward).version;
  EXPECT_EQ(added.problem, "an additional change in a patch version: 1.2.0 → 1.2.1; 1.3.0 is needed");
}

TEST(Version, WithoutChangesAsksForNothing) {
  const auto verdict = judge(versions("1.2.0", "1.2.0", {}), Mode::Full);
  EXPECT_TRUE(verdict.compatible);
  EXPECT_TRUE(verdict.version.suffices);
  EXPECT_EQ(verdict.version.needed, VersionStep::None);
}

}  // namespace
}  // namespace hotswap::compat
