#include "compat/conformance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compat/compare.h"
#include "sandbox/wasm/interfaces.h"

namespace hotswap::compat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::shared_ptr<const Wit> parse(const std::vector<wasm::WitPackage>& packages) {
  auto wit = wasm::parse_wit(packages);
  if (!wit) ADD_FAILURE() << wasm::to_error(wit.error()).detail;
  return std::make_shared<const Wit>(wit ? *std::move(wit) : Wit{});
}

// What a component that is made for this world looks like: its imports and exports, in a package of no one's.
std::shared_ptr<const Wit> component(const std::string& world, const std::vector<std::string>& packages) {
  std::vector<wasm::WitPackage> all{{{"world.wit", "package root:component;\nworld root {\n" + world + "\n}\n"}}};
  for (std::size_t i = 0; i < packages.size(); ++i) all.push_back({{fmt::format("{}.wit", i), packages[i]}});
  Wit wit = *parse(all);
  wit.component = true;
  wit.world = find_world(wit, "root").value();
  return std::make_shared<const Wit>(std::move(wit));
}

std::string shop(const std::string& body, const std::string& version = "1.0.0") {
  return fmt::format(
      "package acme:shop@{};\ninterface api {{\n{}\n}}\nworld service {{ import wasi:random/random@0.2.12; "
      "export api; }}\n",
      version, body);
}

std::vector<std::string> lines(const std::vector<CheckedItem>& items) {
  std::vector<std::string> lines;
  for (const auto& item : items) lines.push_back(fmt::format("{} {} {}", item.name, enum_name(item.fit), item.by));
  return lines;
}

Offers wasi_and(const std::string& text) {
  Offers offers;
  for (const auto& wit : wasm::wasi_wits()) offers.add(wit);
  if (!text.empty()) offers.add(parse({{{"offered.wit", text}}}));
  return offers;
}

TEST(Conformance, ImportsOfTheSameTrackFit) {
  const auto module = component("import acme:shop/api@1.0.0; import wasi:io/streams@0.2.12;", {shop("f: func();")});
  const auto checked = check_component(*module, wasi_and(shop("f: func(); g: func();", "1.4.0")), std::nullopt);
  EXPECT_TRUE(checked.fits);
  EXPECT_THAT(lines(checked.imports),
              ElementsAre("acme:shop/api@1.0.0 Fits acme:shop@1.4.0", "wasi:io/error@0.2.12 Fits wasi:io@0.2.12",
                          "wasi:io/poll@0.2.12 Fits wasi:io@0.2.12", "wasi:io/streams@0.2.12 Fits wasi:io@0.2.12"));
}

TEST(Conformance, AnImportThatNothingOffersIsMissing) {
  const auto module = component("import acme:shop/api@2.0.0; import acme:log/log;",
                                {shop("f: func();", "2.0.0"), "package acme:log;\ninterface log { f: func(); }\n"});
  const auto checked = check_component(*module, wasi_and(shop("f: func();")), std::nullopt);
  EXPECT_FALSE(checked.fits);
  EXPECT_THAT(lines(checked.imports), ElementsAre("acme:shop/api@2.0.0 Missing ", "acme:log/log Missing "));
  EXPECT_EQ(checked.imports[0].detail, "only other versions are offered: 1.0.0");
  EXPECT_EQ(checked.imports[1].detail, "nothing offers it");
}

TEST(Conformance, AnImportOfAnotherTypeDiffersAndSaysHow) {
  const auto module = component("import acme:shop/api@1.0.0;", {shop("f: func(a: u8); g: func(); h: func();")});
  const auto checked = check_component(*module, wasi_and(shop("f: func(a: u16); h: func();")), std::nullopt);
  EXPECT_FALSE(checked.fits);
  ASSERT_EQ(checked.imports.size(), 1U);
  EXPECT_EQ(checked.imports[0].fit, Fit::Differs);
  ASSERT_EQ(checked.imports[0].changes.size(), 2U);
  EXPECT_EQ(checked.imports[0].changes[0].path, "acme:shop/api.f.a");
  EXPECT_EQ(checked.imports[0].changes[1].kind, ChangeKind::FunctionRemoved);
}

TEST(Conformance, AnInterfaceThatModulesImplementCannotBeImported) {
  Offers offers;
  for (const auto& wit : wasm::wasi_wits()) offers.add(wit, std::set<std::string>{"wasi:http/types@0.2.12"});
  const auto module = component("import wasi:http/incoming-handler@0.2.12;", {});
  const auto checked = check_component(*module, offers, std::nullopt);
  EXPECT_FALSE(checked.fits);
  EXPECT_THAT(checked.imports.back().detail, HasSubstr("nothing offers it"));
}

TEST(Conformance, ExportsAreHeldAgainstTheirInterface) {
  const auto offers = wasi_and(shop("f: func(); g: func();"));
  const auto whole = check_component(
      *component("export acme:shop/api@1.0.0;", {shop("f: func(); g: func(); h: func();")}), offers, std::nullopt);
  EXPECT_THAT(lines(whole.exports), ElementsAre("acme:shop/api@1.0.0 Fits acme:shop@1.0.0"));
  const auto partial =
      check_component(*component("export acme:shop/api@1.0.0;", {shop("f: func();")}), offers, std::nullopt);
  EXPECT_FALSE(partial.fits);
  ASSERT_EQ(partial.exports.at(0).changes.size(), 1U);
  EXPECT_EQ(partial.exports[0].changes[0].path, "acme:shop/api.g");
}

TEST(Conformance, AnExportThatNobodyDescribedIsNotHeldAgainstAnything) {
  const auto checked = check_component(
      *component("export my:thing/api; export f: func();", {"package my:thing;\ninterface api { f: func(); }\n"}),
      wasi_and(""), std::nullopt);
  EXPECT_TRUE(checked.fits);
  EXPECT_THAT(lines(checked.exports), ElementsAre("f Unknown ", "my:thing/api Unknown "));
}

TEST(Conformance, AModuleOfAClaimedWorldHasAllItsExports) {
  const auto claimed = parse({{{"shop.wit", shop("f: func();")}}});
  const Claim claim{*claimed, find_world(*claimed, "service").value()};
  const auto offers = wasi_and("");
  const auto good = check_component(
      *component("import wasi:random/random@0.2.12; import wasi:clocks/wall-clock@0.2.12; export acme:shop/api@1.0.0;",
                 {shop("f: func();")}),
      offers, claim);
  EXPECT_TRUE(good.fits) << fmt::format("{}", fmt::join(lines(good.exports), "\n"));
  const auto without = check_component(*component("import wasi:random/random@0.2.12;", {}), offers, claim);
  EXPECT_FALSE(without.fits);
  EXPECT_EQ(without.exports.back().changes.at(0).path, "acme:shop/service.exports[acme:shop/api]");
  const auto other =
      check_component(*component("export acme:shop/api@1.0.0;", {shop("f: func() -> u8;")}), offers, claim);
  EXPECT_FALSE(other.fits);
  EXPECT_EQ(other.exports.back().changes.at(0).kind, ChangeKind::ResultChanged);
}

TEST(Conformance, OnlyAClaimedWorldOffersImportsWithoutAPackage) {
  const auto claimed = parse({{{"w.wit", "package a:b;\nworld w { import log: func(line: string); }\n"}}});
  const Claim claim{*claimed, find_world(*claimed, "w").value()};
  const auto module = component("import log: func(line: string);", {});
  EXPECT_FALSE(check_component(*module, wasi_and(""), std::nullopt).fits);
  EXPECT_TRUE(check_component(*module, wasi_and(""), claim).fits);
  EXPECT_FALSE(check_component(*component("import log: func(line: u8);", {}), wasi_and(""), claim).fits);
  EXPECT_FALSE(check_component(*component("import print: func(line: string);", {}), wasi_and(""), claim).fits);
}

ModuleDescription core(std::vector<DescribedImport> imports, std::vector<DescribedExport> exports) {
  ModuleDescription module;
  module.kind = "core";
  module.imports = std::move(imports);
  module.exports = std::move(exports);
  return module;
}

TEST(Conformance, CoreModulesImportPreview1BySignature) {
  Offers offers;
  for (const auto& interface : wasm::preview1()) offers.add(interface);
  const std::vector<DescribedParam> four(4, DescribedParam{std::nullopt, "i32"});
  const auto fits = check_core(core({{"wasi_snapshot_preview1#fd_write", "func", four, {"i32"}}}, {}), offers, {});
  EXPECT_TRUE(fits.fits);
  const auto differs = check_core(core({{"wasi_snapshot_preview1#fd_write", "func", {}, {"i32"}}}, {}), offers, {});
  EXPECT_FALSE(differs.fits);
  EXPECT_EQ(differs.imports[0].detail, "the module has func() -> i32, where func(i32, i32, i32, i32) -> i32 is meant");
  EXPECT_FALSE(check_core(core({{"env#log", "func", {}, {}}}, {}), offers, {}).fits);
  EXPECT_FALSE(check_core(core({{"env#memory", "memory", {}, {}, "1"}}, {}), offers, {}).fits);
}

TEST(Conformance, CoreModulesImplementAWorldByTheCanonicalAbi) {
  const auto claim =
      wasm::core_world({{{"w.wit",
                          "package a:b@1.0.0;\ninterface i { f: func(name: string) -> u64; }\n"
                          "world w { import log: func(line: string); export i; export run: func(); }\n"}}},
                       "w");
  ASSERT_TRUE(claim) << claim.error().message;
  const std::vector<DescribedParam> text(2, DescribedParam{std::nullopt, "i32"});
  const DescribedExport run{.name = "run", .kind = "func", .params = {}, .results = {}};
  const DescribedExport f{.name = "a:b/i@1.0.0#f", .kind = "func", .params = text, .results = {"i64"}};
  EXPECT_TRUE(check_core(core({{"$root#log", "func", text, {}}}, {run, f}), {}, *claim).fits);
  const auto lacking = check_core(core({}, {run}), {}, *claim);
  EXPECT_FALSE(lacking.fits);
  EXPECT_THAT(lines(lacking.exports),
              ElementsAre("run Fits the claimed world", "a:b/i@1.0.0#f Missing the claimed world"));
  EXPECT_THAT(lacking.imports, IsEmpty());
}

}  // namespace
}  // namespace hotswap::compat
