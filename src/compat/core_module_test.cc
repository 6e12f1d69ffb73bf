#include "compat/core_module.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compat/verdict.h"

namespace hotswap::compat {
namespace {

using testing::ElementsAre;

DescribedExport function(std::string name, std::vector<std::string> params, std::vector<std::string> results) {
  DescribedExport item{.name = std::move(name), .kind = "func", .params = {}, .results = std::move(results)};
  for (auto& param : params) item.params.push_back({std::nullopt, std::move(param)});
  return item;
}

DescribedImport import_of(const DescribedExport& item) {
  return {.name = item.name, .kind = item.kind, .params = item.params, .results = item.results, .type = item.type};
}

ModuleDescription module_of(std::vector<DescribedExport> exports, const std::vector<DescribedExport>& imports = {}) {
  ModuleDescription module;
  module.kind = "core";
  module.exports = std::move(exports);
  for (const auto& item : imports) module.imports.push_back(import_of(item));
  return module;
}

std::vector<std::string> lines(const Comparison& comparison) {
  std::vector<std::string> lines;
  for (const auto& change : comparison.changes) {
    lines.push_back(fmt::format("{} {} {} -> {} breaks {}", enum_name(change.kind), change.path, change.was, change.is,
                                enum_name(change.breaks)));
  }
  return lines;
}

TEST(CoreModule, IsComparedBySignature) {
  const auto comparison = compare_core(
      module_of({function("add", {"i32", "i32"}, {"i32"}), function("gone", {}, {}), function("same", {"f64"}, {})}),
      module_of({function("add", {"i64", "i32"}, {"i32"}), function("came", {}, {"i32", "i64"}),
                 function("same", {"f64"}, {})}));
  EXPECT_THAT(lines(comparison),
              ElementsAre("SignatureChanged exports.add func(i32, i32) -> i32 -> func(i64, i32) -> i32 breaks Both",
                          "ExportRemoved exports.gone func() ->  breaks Callers",
                          "ExportAdded exports.came  -> func() -> (i32, i64) breaks Implementers"));
}

TEST(CoreModule, WithMoreExportsReplacesTheOldOneAndWithMoreImportsDoesNot) {
  const auto add = function("add", {}, {});
  const auto log = function("env#log", {"i32"}, {});
  EXPECT_TRUE(judge(compare_core(module_of({}), module_of({add})), Mode::Backward).compatible);
  EXPECT_FALSE(judge(compare_core(module_of({add}), module_of({})), Mode::Backward).compatible);
  EXPECT_FALSE(judge(compare_core(module_of({}), module_of({}, {log})), Mode::Backward).compatible);
  EXPECT_TRUE(judge(compare_core(module_of({}, {log}), module_of({})), Mode::Backward).compatible);
}

TEST(CoreModule, MayGrowTheMemoryThatItExports) {
  const DescribedExport small{.name = "memory", .kind = "memory", .params = {}, .results = {}, .type = "1 16"};
  DescribedExport large = small;
  large.type = "4 32";
  EXPECT_THAT(lines(compare_core(module_of({small}), module_of({large}))),
              ElementsAre("TypeChanged exports.memory memory 1 16 -> memory 4 32 breaks None"));
  EXPECT_THAT(lines(compare_core(module_of({}, {small}), module_of({}, {large}))),
              ElementsAre("TypeChanged imports.memory memory 1 16 -> memory 4 32 breaks Both"));
}

TEST(CoreModule, ThatBecameAComponentHasNothingInCommonWithIt) {
  const auto comparison = kind_changed("core module", "component");
  EXPECT_FALSE(judge(comparison, Mode::Backward).compatible);
  EXPECT_FALSE(judge(comparison, Mode::Forward).compatible);
}

}  // namespace
}  // namespace hotswap::compat
