#include "compat/compare.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "compat/compare_fixture.h"
#include "compat/verdict.h"
#include "sandbox/wasm/interfaces.h"

namespace hotswap::compat {
namespace {

using testing::ElementsAre;

// A package of one interface `api`, which one world imports and another exports.
std::string package(std::string_view api, std::string_view more = {}, std::string_view version = "1.0.0") {
  return fmt::format(
      "package acme:shop@{};\n{}\ninterface api {{\n{}\n}}\nworld caller {{ import api; }}\nworld implementer {{ "
      "export "
      "api; }}\n",
      version, more, api);
}

Wit parse(const std::string& text) {
  auto wit = wasm::parse_wit({{{"test.wit", text}}});
  if (!wit) ADD_FAILURE() << wasm::to_error(wit.error()).detail << "\n" << text;
  return wit ? *std::move(wit) : Wit{};
}

// One kind of change: the interface before and after, and what is said about it.
struct Pair {
  std::string name;
  std::string before;
  std::string after;
  std::vector<std::string> changes;
};

std::vector<Pair> pairs() {
  const std::string base = "acme:shop/api.";
  const auto both = [&](const std::string& kind, const std::string& path) {
    return kind + " " + base + path + " breaks Both";
  };
  return {
      {"nothing", "f: func();", "f: func();", {}},
      {"docs", "f: func();", "/// What it does.\nf: func();", {}},
      {"function added", "f: func();", "f: func(); g: func();", {"FunctionAdded acme:shop/api.g breaks Implementers"}},
      {"function removed",
       "f: func(); g: func(a: u8);",
       "f: func();",
       {"FunctionRemoved acme:shop/api.g breaks Callers"}},
      {"function renamed",
       "f: func(a: u8);",
       "g: func(a: u8);",
       {"FunctionRemoved acme:shop/api.f breaks Callers", "FunctionAdded acme:shop/api.g breaks Implementers"}},
      {"functions reordered", "f: func(); g: func();", "g: func(); f: func();", {}},
      {"parameter added", "f: func();", "f: func(a: u8);", {both("ParameterAdded", "f.a")}},
      {"parameter removed", "f: func(a: u8);", "f: func();", {both("ParameterRemoved", "f.a")}},
      {"parameter renamed", "f: func(a: u8);", "f: func(b: u8);", {both("ParameterRenamed", "f.a")}},
      {"parameter type", "f: func(a: u8);", "f: func(a: u16);", {both("ParameterTypeChanged", "f.a")}},
      {"parameters moved", "f: func(a: u8, b: u8);", "f: func(b: u8, a: u8);", {both("ParameterMoved", "f")}},
      {"result added", "f: func();", "f: func() -> u8;", {both("ResultChanged", "f")}},
      {"result removed", "f: func() -> u8;", "f: func();", {both("ResultChanged", "f")}},
      {"result changed", "f: func() -> u8;", "f: func() -> s8;", {both("ResultChanged", "f")}},
      {"list", "f: func(a: list<u8>);", "f: func(a: list<u16>);", {both("ParameterTypeChanged", "f.a")}},
      {"list and fixed list",
       "f: func(a: list<u8>);",
       "f: func(a: list<u8, 4>);",
       {both("ParameterTypeChanged", "f.a")}},
      {"length of a fixed list",
       "f: func(a: list<u8, 4>);",
       "f: func(a: list<u8, 5>);",
       {both("ParameterTypeChanged", "f.a")}},
      {"option", "f: func(a: u8);", "f: func(a: option<u8>);", {both("ParameterTypeChanged", "f.a")}},
      {"result's error", "f: func() -> result<u8>;", "f: func() -> result<u8, string>;", {both("ResultChanged", "f")}},
      {"tuple", "f: func(a: tuple<u8, u8>);", "f: func(a: tuple<u8, u8, u8>);", {both("ParameterTypeChanged", "f.a")}},
      {"map's value",
       "f: func(a: map<string, u8>);",
       "f: func(a: map<string, u16>);",
       {both("ParameterTypeChanged", "f.a")}},
      {"type added", "f: func();", "f: func(); type t = u8;", {"TypeAdded acme:shop/api.t breaks Implementers"}},
      {"type removed",
       "f: func(a: t); type t = u8;",
       "f: func(a: u8);",
       {"TypeRemoved acme:shop/api.t breaks Callers"}},
      {"unused type removed", "f: func(); type t = u8;", "f: func();", {"TypeRemoved acme:shop/api.t breaks Callers"}},
      {"unused type changed", "f: func(); type t = u8;", "f: func(); type t = u16;", {both("TypeChanged", "t")}},
      {"alias of another type",
       "f: func(a: t); type t = u8;",
       "f: func(a: t); type t = u16;",
       {both("TypeChanged", "t")}},
      {"alias seen through", "type t = u8; f: func(a: t);", "type t = u8; f: func(a: u8);", {}},
      {"field added",
       "record r { a: u8 } f: func(a: r);",
       "record r { a: u8, b: u8 } f: func(a: r);",
       {both("FieldAdded", "r.b")}},
      {"field removed",
       "record r { a: u8, b: u8 } f: func(a: r);",
       "record r { a: u8 } f: func(a: r);",
       {both("FieldRemoved", "r.b")}},
      {"field type",
       "record r { a: u8 } f: func(a: r);",
       "record r { a: u16 } f: func(a: r);",
       {both("FieldTypeChanged", "r.a")}},
      {"fields moved",
       "record r { a: u8, b: u8 } f: func(a: r);",
       "record r { b: u8, a: u8 } f: func(a: r);",
       {both("FieldMoved", "r")}},
      {"field renamed",
       "record r { a: u8 } f: func(a: r);",
       "record r { b: u8 } f: func(a: r);",
       {both("FieldRemoved", "r.a"), both("FieldAdded", "r.b")}},
      {"case added",
       "variant v { a, b(u8) } f: func(a: v);",
       "variant v { a, b(u8), c } f: func(a: v);",
       {both("CaseAdded", "v.c")}},
      {"case removed",
       "variant v { a, b(u8) } f: func() -> v;",
       "variant v { a } f: func() -> v;",
       {both("CaseRemoved", "v.b")}},
      {"case type",
       "variant v { a, b(u8) } f: func(a: v);",
       "variant v { a, b(s8) } f: func(a: v);",
       {both("CaseTypeChanged", "v.b")}},
      {"case payload removed",
       "variant v { a, b(u8) } f: func(a: v);",
       "variant v { a, b } f: func(a: v);",
       {both("CaseTypeChanged", "v.b")}},
      {"enum case added",
       "enum e { a } f: func() -> e;",
       "enum e { a, b } f: func() -> e;",
       {both("CaseAdded", "e.b")}},
      {"enum cases moved",
       "enum e { a, b } f: func() -> e;",
       "enum e { b, a } f: func() -> e;",
       {both("CaseMoved", "e")}},
      {"flag added", "flags g { a } f: func(a: g);", "flags g { a, b } f: func(a: g);", {both("FlagAdded", "g.b")}},
      {"flag removed", "flags g { a, b } f: func(a: g);", "flags g { a } f: func(a: g);", {both("FlagRemoved", "g.b")}},
      {"another kind of type",
       "enum e { a } f: func(a: e);",
       "flags e { a } f: func(a: e);",
       {both("TypeChanged", "e")}},
      {"record renamed",
       "record r { a: u8 } f: func(a: r);",
       "record s { a: u8 } f: func(a: s);",
       {"TypeRemoved acme:shop/api.r breaks Callers", "TypeAdded acme:shop/api.s breaks Implementers"}},
      {"nested record",
       "record inner { a: u8 } record outer { i: inner } f: func(a: outer);",
       "record inner { a: u16 } record outer { i: inner } f: func(a: outer);",
       {both("FieldTypeChanged", "inner.a")}},
      {"resource added",
       "f: func();",
       "f: func(); resource r { g: func(); }",
       {"ResourceAdded acme:shop/api.r breaks Implementers"}},
      {"resource removed",
       "f: func(); resource r { g: func(); }",
       "f: func();",
       {"ResourceRemoved acme:shop/api.r breaks Callers"}},
      {"method added",
       "resource r { g: func(); }",
       "resource r { g: func(); h: func(); }",
       {"FunctionAdded acme:shop/api.r.h breaks Implementers"}},
      {"method removed",
       "resource r { g: func(); h: func(); }",
       "resource r { g: func(); }",
       {"FunctionRemoved acme:shop/api.r.h breaks Callers"}},
      {"method parameter",
       "resource r { g: func(a: u8); }",
       "resource r { g: func(a: u16); }",
       {both("ParameterTypeChanged", "r.g.a")}},
      {"method becomes static",
       "resource r { g: func(); }",
       "resource r { g: static func(); }",
       {both("FunctionKindChanged", "r.g")}},
      {"constructor added",
       "resource r { g: func(); }",
       "resource r { constructor(a: u8); g: func(); }",
       {"FunctionAdded acme:shop/api.r.constructor breaks Implementers"}},
      {"constructor parameter",
       "resource r { constructor(a: u8); }",
       "resource r { constructor(a: s8); }",
       {both("ParameterTypeChanged", "r.constructor.a")}},
      {"own becomes borrow",
       "resource r; f: func(a: r);",
       "resource r; f: func(a: borrow<r>);",
       {both("ParameterTypeChanged", "f.a")}},
      {"another resource",
       "resource r; resource s; f: func(a: r);",
       "resource r; resource s; f: func(a: s);",
       {both("ParameterTypeChanged", "f.a")}},
      {"resource becomes record",
       "resource r; f: func(a: borrow<r>);",
       "record r { a: u8 } f: func(a: r);",
       {both("TypeChanged", "r"), both("ParameterTypeChanged", "f.a")}},
      {"async", "f: func();", "f: async func();", {both("AsyncChanged", "f")}},
      {"stream", "f: func() -> stream<u8>;", "f: func() -> stream<u16>;", {both("ResultChanged", "f")}},
      {"future", "f: func() -> future;", "f: func() -> future<u8>;", {both("ResultChanged", "f")}},
      {"stream becomes future", "f: func() -> stream<u8>;", "f: func() -> future<u8>;", {both("ResultChanged", "f")}},
      {"error-context", "f: func(a: string);", "f: func(a: error-context);", {both("ParameterTypeChanged", "f.a")}},
      {"unstable function added",
       "f: func();",
       "f: func(); @unstable(feature = x) g: func();",
       {"FunctionAdded acme:shop/api.g breaks None"}},
      {"unstable function removed",
       "f: func(); @unstable(feature = x) g: func();",
       "f: func();",
       {"FunctionRemoved acme:shop/api.g breaks None"}},
      {"unstable function changed",
       "f: func(); @unstable(feature = x) g: func();",
       "f: func(); @unstable(feature = x) g: func(a: u8);",
       {"ParameterAdded acme:shop/api.g.a breaks None"}},
      {"function becomes unstable",
       "f: func(); g: func();",
       "f: func(); @unstable(feature = x) g: func();",
       {"GateChanged acme:shop/api.g breaks Callers"}},
      {"function becomes stable",
       "f: func(); @unstable(feature = x) g: func();",
       "f: func(); @since(version = 1.0.0) g: func();",
       {"GateChanged acme:shop/api.g breaks Implementers"}},
      {"since", "f: func();", "@since(version = 1.0.0) f: func();", {"GateChanged acme:shop/api.f breaks None"}},
      {"deprecated",
       "@since(version = 0.1.0) f: func();",
       "@since(version = 0.1.0) @deprecated(version = 1.0.0) f: func();",
       {"GateChanged acme:shop/api.f breaks None"}},
  };
}

class EveryKindOfChange : public testing::TestWithParam<Pair> {};

TEST_P(EveryKindOfChange, IsListedOnceWithItsPathAndWhomItBreaks) {
  const Wit before = parse(package(GetParam().before));
  const Wit after = parse(package(GetParam().after));
  const auto comparison = compare(before, after);
  ASSERT_TRUE(comparison);
  EXPECT_EQ(lines(comparison->changes), GetParam().changes);
}

// The linker's own judgement, asked about modules that call and about modules that implement.
TEST_P(EveryKindOfChange, BreaksWhomTheLinkerRefuses) {
  for (const std::string world : {"caller", "implementer"}) {
    expect_agreement({{{"old.wit", package(GetParam().before)}}}, {{{"new.wit", package(GetParam().after)}}}, world);
  }
}

std::string test_name(const testing::TestParamInfo<Pair>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Pairs, EveryKindOfChange, testing::ValuesIn(pairs()), test_name);

// The body of a world before and after.
std::string world_package(const std::string& body) {
  return "package acme:shop@1.0.0;\ninterface one { f: func(); }\ninterface two { use types.{t}; f: func(a: t); }\n"
         "interface types { record t { a: u8 } record unused { a: u8 } }\nworld service {\n" +
         body + "\n}\n";
}

std::vector<Pair> world_pairs() {
  const std::string base = "acme:shop/service.";
  return {
      {"import added",
       "import one;",
       "import one; import types;",
       {"ImportAdded " + base + "imports[acme:shop/types] breaks Implementers"}},
      {"import removed",
       "import one; import types;",
       "import one;",
       {"ImportRemoved " + base + "imports[acme:shop/types] breaks Callers"}},
      {"import brings another",
       "import one;",
       "import one; import two;",
       {"ImportAdded " + base + "imports[acme:shop/types] breaks Implementers",
        "ImportAdded " + base + "imports[acme:shop/two] breaks Implementers"}},
      {"export added",
       "export one;",
       "export one; export two;",
       {"ImportAdded " + base + "imports[acme:shop/types] breaks Implementers",
        "ExportAdded " + base + "exports[acme:shop/two] breaks Implementers"}},
      {"export removed",
       "export one; export f: func();",
       "export one;",
       {"ExportRemoved " + base + "exports.f breaks Callers"}},
      {"function imported",
       "import f: func();",
       "import f: func(a: u8);",
       {"ParameterAdded " + base + "imports.f.a breaks Both"}},
      {"function exported",
       "export f: func();",
       "export f: func() -> u8;",
       {"ResultChanged " + base + "exports.f breaks Both"}},
      {"inline interface",
       "import k: interface { f: func(); }",
       "import k: interface { f: func(); g: func(); }",
       {"FunctionAdded " + base + "imports.k.g breaks Implementers"}},
      {"inline interface exported",
       "export k: interface { f: func(); }",
       "export k: interface { f: func(); g: func(); }",
       {"FunctionAdded " + base + "exports.k.g breaks Implementers"}},
      {"interface becomes a function",
       "import k: interface { f: func(); }",
       "import k: func();",
       {"ImportRemoved " + base + "imports.k breaks Callers", "ImportAdded " + base + "imports.k breaks Implementers"}},
      {"type of the world",
       "record r { a: u8 } import f: func(a: r);",
       "record r { a: u16 } import f: func(a: r);",
       {"FieldTypeChanged " + base + "imports.r.a breaks Both"}},
      {"used type",
       "use types.{t}; export f: func(a: t);",
       "use types.{t}; export f: func(a: t) -> t;",
       {"ResultChanged " + base + "exports.f breaks Both"}},
  };
}

class EveryChangeOfAWorld : public testing::TestWithParam<Pair> {};

TEST_P(EveryChangeOfAWorld, IsListedWithWhomItBreaks) {
  const auto comparison = compare(parse(world_package(GetParam().before)), parse(world_package(GetParam().after)));
  ASSERT_TRUE(comparison);
  EXPECT_EQ(lines(comparison->changes), GetParam().changes);
}

TEST_P(EveryChangeOfAWorld, BreaksWhomTheLinkerRefuses) {
  expect_agreement({{{"old.wit", world_package(GetParam().before)}}}, {{{"new.wit", world_package(GetParam().after)}}},
                   "service");
}

INSTANTIATE_TEST_SUITE_P(Worlds, EveryChangeOfAWorld, testing::ValuesIn(world_pairs()), test_name);

// ---- what is said ---------------------------------------------------------------------------------------------------

std::vector<Change> changes_of(const std::string& before, const std::string& after) {
  return compare(parse(before), parse(after)).value().changes;
}

TEST(Compare, ShowsWhatWasAndWhatIs) {
  const auto changes =
      changes_of(package("record r { a: u8 } f: func(a: list<r>, b: u8) -> option<r>;"),
                 package("record r { a: u8 } f: async func(a: list<r>, b: u16) -> result<r, string>;"));
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].was, "func(a: list<r>, b: u8) -> option<r>");
  EXPECT_EQ(changes[0].is, "async func(a: list<r>, b: u16) -> result<r, string>");
  EXPECT_EQ(changes[1].was, "b: u8");
  EXPECT_EQ(changes[1].is, "b: u16");
  EXPECT_EQ(changes[2].was, "option<r>");
  EXPECT_EQ(changes[2].is, "result<r, string>");
}

TEST(Compare, HintsAtWhatWasPerhapsRenamed) {
  const auto changes = changes_of(package("f: func(a: u8); resource r { m: func() -> string; }"),
                                  package("g: func(a: u8); resource r { n: func() -> string; }"));
  ASSERT_EQ(changes.size(), 4U);
  EXPECT_EQ(changes[0].hint, "perhaps renamed to g");
  EXPECT_EQ(changes[1].hint, "perhaps renamed to n");
  EXPECT_EQ(changes[2].hint, "perhaps renamed from f");
  EXPECT_EQ(changes[3].hint, "perhaps renamed from m");
}

TEST(Compare, DoesNotGuessBetweenSeveralOfOneType) {
  for (const auto& change : changes_of(package("f: func(); g: func();"), package("h: func(); i: func();"))) {
    EXPECT_EQ(change.hint, "") << change.path;
  }
}

TEST(Compare, TellsAChangedDependencyOnceWhereItIsDefined) {
  const std::string user =
      "package acme:user@1.0.0;\ninterface i { use acme:types/t@1.0.0.{r}; f: func(a: r); g: func() -> list<r>; }\n";
  const auto with = [&](std::string_view type) {
    const auto types =
        fmt::format("package acme:types@1.0.0;\ninterface t {{ record r {{ a: {} }} h: func(); }}\n", type);
    return *wasm::parse_wit({{{"user.wit", user}}, {{"types.wit", types}}});
  };
  const Wit before = with("u8");
  const Wit after = with("u16");
  EXPECT_THAT(lines(compare(before, after)->changes), ElementsAre("FieldTypeChanged acme:types/t.r.a breaks Both"));
}

TEST(Compare, ADependencyOnAnotherTrackIsAnotherLink) {
  const auto user = [](const std::string& version) {
    return Packages{
        {{"user.wit",
          fmt::format("package acme:user@1.0.0;\ninterface i {{ use acme:types/t@{}.{{r}}; f: func(a: r); }}\n",
                      version)}},
        {{"types.wit", fmt::format("package acme:types@{};\ninterface t {{ record r {{ a: u8 }} }}\n", version)}}};
  };
  const Wit before = *wasm::parse_wit(user("1.0.0"));
  EXPECT_THAT(lines(compare(before, *wasm::parse_wit(user("1.3.0")))->changes),
              ElementsAre("DependencyVersionChanged acme:types breaks None"));
  EXPECT_THAT(lines(compare(before, *wasm::parse_wit(user("2.0.0")))->changes),
              ElementsAre("DependencyVersionChanged acme:types breaks Both"));
}

TEST(Compare, SeesInterfacesAndWorldsComeAndGo) {
  EXPECT_THAT(lines(changes_of("package a:b@1.0.0;\ninterface x { f: func(); }\nworld v {}\n",
                               "package a:b@1.0.0;\ninterface y { f: func(); }\nworld w {}\n")),
              ElementsAre("InterfaceRemoved a:b/x breaks Callers", "InterfaceAdded a:b/y breaks Implementers",
                          "WorldRemoved a:b/v breaks Callers", "WorldAdded a:b/w breaks Implementers"));
}

TEST(Compare, KnowsWhatModulesDoFromTheWorlds) {
  const auto role = [](const std::string& worlds) {
    const auto text = [&](const std::string& functions) {
      return "package a:b@1.0.0;\ninterface x { " + functions + " }\n" + worlds;
    };
    return changes_of(text("f: func();"), text("f: func(); g: func();")).at(0).modules;
  };
  EXPECT_EQ(role(""), ModulesDo::Call);
  EXPECT_EQ(role("world w { import x; }"), ModulesDo::Call);
  EXPECT_EQ(role("world w { export x; }"), ModulesDo::Implement);
  EXPECT_EQ(role("world w { import x; export x; }"), ModulesDo::Both);
  // A world that comes with the new version has no modules yet.
  const auto changes = changes_of("package a:b@1.0.0;\ninterface x { f: func(); }\nworld w { import x; }\n",
                                  "package a:b@1.1.0;\ninterface x { f: func(); g: func(); }\nworld w { import x; }\n"
                                  "world v { export x; }\n");
  EXPECT_EQ(changes.at(0).modules, ModulesDo::Call);
}

TEST(Compare, RefusesAPackageAgainstAComponent) {
  Wit component = parse(package("f: func();"));
  component.component = true;
  component.world = 0;
  const auto refused = compare(parse(package("f: func();")), component);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
}

// The parser lets two cases of one name pass.
TEST(Compare, TellsCasesOfOneNameApart) {
  const auto variant = [](const std::string& cases) { return package("variant v { " + cases + " } f: func(a: v);"); };
  EXPECT_TRUE(changes_of(variant("a(u8), a(u16)"), variant("a(u8), a(u16)")).empty());
  EXPECT_FALSE(changes_of(variant("a(u8), a(u16)"), variant("a(u8), a(u8)")).empty());
  EXPECT_FALSE(changes_of(variant("a(u8), a(u8)"), variant("a(u8), a(u16)")).empty());
}

// A type of a thousand nested ones, all of other names on the other side, ends in an answer.
TEST(Compare, EndsForTypesThatNobodyWrites) {
  const auto chain = [](const std::string& letter) {
    std::string text = fmt::format("record {}0 {{ a: u8 }}\n", letter);
    for (int i = 1; i < 20'000; ++i)
      text += fmt::format("record {0}{1} {{ a: {0}{2}, b: {0}{2} }}\n", letter, i, i - 1);
    return package(text + fmt::format("f: func(a: {}19999);", letter));
  };
  const auto comparison = compare(parse(chain("x")), parse(chain("y")));
  ASSERT_TRUE(comparison);
  EXPECT_FALSE(judge(*comparison, Mode::Backward).compatible);
}

}  // namespace
}  // namespace hotswap::compat
