// WASI's own packages against each other: their versions, their tracks, and edits anywhere in their texts.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "compat/compare.h"
#include "compat/compare_fixture.h"
#include "compat/verdict.h"
#include "sandbox/wasm/interfaces.h"

namespace hotswap::compat {
namespace {

using testing::ElementsAre;

Packages wasi(std::string_view track) {
  Packages packages;
  for (const auto& package : wasm::wasi_packages()) {
    if (package.package.contains(fmt::format("@{}", track))) packages.push_back({{package.path, package.text}});
  }
  return packages;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// WASI 0.2 as it was before the items that were added since, which the gates name.
Packages wasi_without(std::vector<std::string> since) {
  Packages packages = wasi("0.2");
  for (auto& package : packages) {
    std::string& text = package[0].text;
    for (const auto& version : since) {
      const std::string gate = fmt::format("  @since(version = {})\n", version);
      for (auto at = text.find(gate); at != std::string::npos; at = text.find(gate)) {
        text.erase(at, text.find(';', at) + 2 - at);
      }
    }
    if (std::ranges::find(since, "0.2.1") != since.end()) {
      for (const std::string_view end : {",", ")", ">", " "}) {
        replace_all(text, fmt::format("name: field-name{}", end), fmt::format("name: field-key{}", end));
        replace_all(text, fmt::format("<field-name{}", end), fmt::format("<field-key{}", end));
      }
    }
  }
  return packages;
}

// A package to which all others are dependencies, with a world for one interface as an import and one as an export.
Packages with_worlds(const Packages& packages, const std::string& interface) {
  Packages all{{{"check.wit", fmt::format("package hotswap:check;\nworld caller {{ import {}; }}\nworld implementer {{ "
                                          "export {}; }}\n",
                                          interface, interface)}}};
  all.insert(all.end(), packages.begin(), packages.end());
  return all;
}

TEST(Wasi, OfConsecutiveVersionsIsJudgedAsTheLinkerJudges) {
  const std::vector<Packages> versions{wasi_without({"0.2.1", "0.2.12"}), wasi_without({"0.2.12"}), wasi("0.2")};
  for (std::size_t i = 0; i + 1 < versions.size(); ++i) {
    for (const std::string name :
         {"wasi:http/types", "wasi:cli/exit", "wasi:io/streams", "wasi:http/incoming-handler"}) {
      const std::string interface = name + "@0.2.12";
      for (const std::string world : {"caller", "implementer"}) {
        expect_agreement(with_worlds(versions[i], interface), with_worlds(versions[i + 1], interface), world);
      }
    }
  }
}

TEST(Wasi, GrowsWithoutBreakingCallers) {
  const auto main_first = [](Packages packages, std::string_view name) {
    const auto at = std::ranges::find_if(
        packages, [&](const auto& p) { return p[0].text.contains(fmt::format("package {}@", name)); });
    std::iter_swap(packages.begin(), at);
    return packages;
  };
  const Wit before = *wasm::parse_wit(main_first(wasi_without({"0.2.12"}), "wasi:cli"));
  const Wit after = *wasm::parse_wit(main_first(wasi("0.2"), "wasi:cli"));
  const auto comparison = compare(before, after);
  EXPECT_THAT(lines(comparison->changes),
              ElementsAre("FunctionAdded wasi:cli/exit.exit-with-code breaks Implementers"));
  EXPECT_TRUE(judge(*comparison, Mode::Backward).compatible);
  EXPECT_FALSE(judge(*comparison, Mode::Forward).compatible);
}

// 0.3 shares no link with 0.2: the check, which leaves versions aside, still finds that the types differ.
TEST(Wasi, OfAnotherTrackIsNotCompatible) {
  const Wit before = *wasm::parse_wit(with_worlds(wasi("0.2"), "wasi:cli/stdout@0.2.12"));
  const Wit after = *wasm::parse_wit(with_worlds(wasi("0.3"), "wasi:cli/stdout@0.3.0"));
  const auto comparison = compare_worlds(before, *find_world(before, "caller"), after, *find_world(after, "caller"));
  EXPECT_THAT(lines(comparison.changes), testing::Contains("DependencyVersionChanged wasi:cli breaks Both"));
  EXPECT_FALSE(judge(comparison, Mode::Backward).compatible);
  expect_agreement(with_worlds(wasi("0.2"), "wasi:cli/stdout@0.2.12"),
                   with_worlds(wasi("0.3"), "wasi:cli/stdout@0.3.0"), "caller");
}

// One edit at a time, at every place of WASI's texts where it still parses.
TEST(Wasi, EditedAnywhereIsJudgedAsTheLinkerJudges) {
  const Packages whole = wasi("0.2");
  const std::vector<std::pair<std::string, std::string>> edits{{"u64", "u32"},
                                                               {"list<u8>", "list<u16>"},
                                                               {": func(", ": func(more: u8, "},
                                                               {"option<", "list<"},
                                                               {"borrow<", "option<"}};
  std::size_t judged = 0;
  for (const auto& [name, interface] :
       std::vector<std::pair<std::string, std::string>>{{"wasi:io", "wasi:io/streams"},
                                                        {"wasi:clocks", "wasi:clocks/monotonic-clock"},
                                                        {"wasi:random", "wasi:random/random"}}) {
    for (const auto& [from, to] : edits) {
      Packages edited = whole;
      const auto package = std::ranges::find_if(
          edited, [&](const auto& p) { return p[0].text.contains(fmt::format("package {}@", name)); });
      const std::string text = (*package)[0].text;
      for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) {
        (*package)[0].text = std::string(text).replace(at, from.size(), to);
        const auto after = with_worlds(edited, interface + "@0.2.12");
        if (!wasm::parse_wit(after)) continue;
        for (const std::string world : {"caller", "implementer"}) {
          expect_agreement(with_worlds(whole, interface + "@0.2.12"), after, world);
          ++judged;
        }
        if (HasFailure()) return;
      }
    }
  }
  EXPECT_GT(judged, 50U);
}

}  // namespace
}  // namespace hotswap::compat
