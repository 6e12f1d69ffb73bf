#include "sandbox/wasm/interfaces.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "model/module_description.h"
#include "sandbox/wasm/test_guests.h"

namespace hotswap::wasm {
namespace {

using testing::Contains;
using testing::HasSubstr;

WitProblem problem_of(const std::vector<WitPackage>& packages) {
  const auto parsed = parse_wit(packages);
  EXPECT_FALSE(parsed);
  return parsed ? WitProblem{} : parsed.error();
}

TEST(Interfaces, ASyntaxErrorHasItsPlaceAndTheLine) {
  const auto problem = problem_of({{{"shop.wit", "package acme:shop;\ninterface i {\n  /* häh */ f: fun();\n}\n"}}});
  EXPECT_EQ(problem.file, "shop.wit");
  EXPECT_EQ(problem.line, 3U);
  EXPECT_EQ(problem.column, 16U);
  EXPECT_EQ(problem.text, "  /* häh */ f: fun();");
  EXPECT_THAT(problem.message, HasSubstr("expected keyword `func`"));
  const Error error = to_error(problem);
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  EXPECT_THAT(error.detail, HasSubstr("shop.wit:3:16: expected keyword `func`"));
  ASSERT_EQ(error.fields.size(), 1U);
  EXPECT_EQ(error.fields[0].field, "shop.wit");
  EXPECT_THAT(error.fields[0].message, HasSubstr("3:16: "));
}

TEST(Interfaces, ANameThatDoesNotExistHasItsPlaceInItsOwnFile) {
  const auto problem = problem_of({{{"a.wit", "package acme:shop;\ninterface a { type t = u8; }\n"},
                                    {"b.wit", "package acme:shop;\ninterface b {\n  use a.{missing};\n}\n"}}});
  EXPECT_EQ(problem.file, "b.wit");
  EXPECT_EQ(problem.line, 3U);
  EXPECT_EQ(problem.column, 10U);
  EXPECT_EQ(problem.width, 7U);
}

TEST(Interfaces, AMissingDependencyIsNamedWhereItIsUsed) {
  const auto problem = problem_of({{{"a.wit", "package acme:shop;\ninterface a { use acme:types/t@1.0.0.{r}; }\n"}},
                                   {{"b.wit", "package acme:types@2.0.0;\ninterface t { record r { a: u8 } }\n"}}});
  EXPECT_EQ(problem.file, "a.wit");
  EXPECT_EQ(problem.line, 2U);
  EXPECT_EQ(problem.message, "there is no package acme:types@1.0.0; given are acme:shop, acme:types@2.0.0");
}

TEST(Interfaces, AnErrorInADependencyNamesItsFile) {
  const auto problem =
      problem_of({{{"a.wit", "package acme:shop;\n"}}, {{"deps/b.wit", "package acme:types;\ninterface {}"}}});
  EXPECT_EQ(problem.file, "deps/b.wit");
  EXPECT_EQ(problem.line, 2U);
}

TEST(Interfaces, TextThatIsNotUtf8IsRefusedWithItsLine) {
  const auto problem = problem_of({{{"a.wit", "package acme:shop;\n\xff\n"}}});
  EXPECT_EQ(problem.line, 2U);
  EXPECT_THAT(problem.message, HasSubstr("UTF-8"));
}

TEST(Interfaces, NothingIsNoPackage) {
  EXPECT_FALSE(parse_wit({}));
  EXPECT_FALSE(parse_wit({{}}));
  EXPECT_FALSE(parse_wit({{{"a.wit", ""}}}));
}

TEST(Interfaces, PackagesOfSeveralFilesReferToEachOtherAndToWasi) {
  const auto wit = parse_wit({{{"a.wit",
                                "package acme:shop@1.0.0;\ninterface a { use acme:types/t.{r}; use "
                                "wasi:io/streams@0.2.12.{input-stream}; f: func(a: r) -> input-stream; }\n"},
                               {"b.wit", "interface b { use a.{r}; }\n"}},
                              {{"types.wit", "package acme:types;\ninterface t { record r { a: u8 } }\n"}}});
  ASSERT_TRUE(wit) << wit.error().message;
  EXPECT_EQ(wit->main_package().name, "acme:shop");
  EXPECT_EQ(wit->main_package().interfaces.size(), 2U);
  std::set<std::string> names;
  for (const auto& package : wit->packages) names.insert(compat::id_of(package));
  EXPECT_THAT(names, testing::IsSupersetOf({"acme:shop@1.0.0", "acme:types", "wasi:io@0.2.12"}));
}

TEST(Interfaces, APackageOfItsOwnGoesBeforeWasis) {
  const auto wit = parse_wit({{{"a.wit", "package acme:shop;\ninterface a { use wasi:io/streams@0.2.12.{mine}; }\n"}},
                              {{"io.wit", "package wasi:io@0.2.12;\ninterface streams { type mine = u8; }\n"}}});
  EXPECT_TRUE(wit) << wit.error().message;
}

TEST(Interfaces, DescribesWithDocumentation) {
  const auto text = describe_wit({{{"a.wit", "package acme:shop;\n/// What is sold.\ninterface a {}\n"}}});
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("What is sold."));
}

TEST(Interfaces, OfEveryWasiPackageAreThereAndResolve) {
  std::set<std::string> names;
  for (const auto& package : wasi_packages()) names.insert(package.package);
  for (const std::string name : {"cli", "clocks", "filesystem", "http", "random", "sockets"}) {
    EXPECT_THAT(names, Contains("wasi:" + name + "@0.2.12"));
    EXPECT_THAT(names, Contains("wasi:" + name + "@0.3.0"));
  }
  EXPECT_THAT(names, Contains("wasi:io@0.2.12"));
  EXPECT_EQ(wasi_wits().size(), wasi_packages().size());
}

// What nodes link is what is described: each import by its interface, each of Preview 1's by its function.
TEST(Interfaces, OfEveryImportThatAnEngineOffersAreDescribed) {
  const auto engine =
      Engine::create(
          {.pool_instances = 0, .pool_memory_bytes = 1 << 20, .tick = std::chrono::milliseconds(1), .wasi03 = true})
          .value();
  const auto offers = from_json_text<EngineOffers>(engine->offers()).value();
  std::set<std::string> interfaces;
  for (const auto& wit : wasi_wits()) {
    const auto& package = wit->main_package();
    for (const auto index : package.interfaces) {
      interfaces.insert(compat::path_of(*wit, wit->interfaces[index]) + "@" + package.version);
    }
  }
  for (const auto& name : offers.component) EXPECT_THAT(interfaces, Contains(name));
  std::set<std::string> functions;
  for (const auto& interface : preview1()) {
    for (const auto& function : interface.functions) functions.insert(interface.module + "#" + function.name);
  }
  const std::set<std::string> offered(offers.core.begin(), offers.core.end());
  EXPECT_EQ(functions, offered);
}

TEST(Interfaces, OfAComponentAreItsImportsAndExports) {
  const auto wit = decode_wit(test_binary("c-http-hello"));
  ASSERT_TRUE(wit) << wit.error().detail;
  EXPECT_TRUE(wit->component);
  ASSERT_TRUE(wit->world);
  const auto& world = wit->worlds[*wit->world];
  std::vector<std::string> exports;
  for (const auto& item : world.exports) exports.push_back(compat::path_of(*wit, wit->interfaces[*item.interface]));
  EXPECT_THAT(exports, testing::ElementsAre("wasi:http/incoming-handler"));
}

TEST(Interfaces, OfACoreModuleThereAreNone) {
  for (const std::string& bytes : {test_binary("c-add"), std::string("not wasm"), std::string()}) {
    const auto wit = decode_wit(bytes);
    ASSERT_FALSE(wit);
    EXPECT_EQ(wit.error().kind, ErrorKind::kInvalid);
  }
  std::string cut = test_binary("c-http-hello");
  cut.resize(cut.size() / 2);
  EXPECT_FALSE(decode_wit(cut));
}

// Every guest of the samples imports what it imports with the signature that Preview 1's description has.
TEST(Interfaces, OfPreview1AreThoseThatToolchainsUse) {
  std::map<std::string, compat::CoreFunction> known;
  for (const auto& interface : preview1()) {
    for (const auto& function : interface.functions) known.emplace(interface.module + "#" + function.name, function);
  }
  for (const std::string name : {"c-wasi", "test-guests", "cpp-text", "go-wasip1"}) {
    const auto description =
        from_json_text<ModuleDescription>(test_engine().describe(test_binary(name)).value()).value();
    for (const auto& import : description.imports) {
      ASSERT_TRUE(known.contains(import.name)) << name << ": " << import.name;
      EXPECT_EQ(compat::text_of(import), compat::text_of(known.at(import.name))) << name << ": " << import.name;
    }
  }
}

TEST(Interfaces, SemverCheckAnswersForAWorldThatExists) {
  const std::vector<WitPackage> one{{{"a.wit", "package a:b@1.0.0;\nworld w { export f: func(); }\n"}}};
  const std::vector<WitPackage> other{{{"a.wit", "package a:b@1.0.0;\nworld w { export f: func(a: u8); }\n"}}};
  EXPECT_EQ(semver_check(one, one, "w").value().compatible, true);
  const auto refused = semver_check(one, other, "w").value();
  EXPECT_EQ(refused.compatible, false);
  EXPECT_THAT(refused.reason, HasSubstr("parameters"));
  const auto missing = semver_check(one, other, "x");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("has no world \"x\""));
}

}  // namespace
}  // namespace hotswap::wasm
