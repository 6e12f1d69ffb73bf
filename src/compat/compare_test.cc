#include "compat/compare.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compat/verdict.h"
#include "sandbox/wasm/interfaces.h"

namespace hotswap::compat {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

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

// "FunctionRemoved acme:shop/api.f breaks Callers"
std::vector<std::string> lines(const std::vector<Change>& changes) {
  std::vector<std::string> lines;
  for (const auto& change : changes) {
    lines.push_back(fmt::format("{} {} breaks {}", enum_name(change.kind), change.path, enum_name(change.breaks)));
  }
  return lines;
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

// The linker's own judgement, asked about modules that call and about modules that implement, in both directions.
TEST_P(EveryKindOfChange, BreaksWhomTheLinkerRefuses) {
  const std::vector<wasm::WitPackage> before{{{"old.wit", package(GetParam().before)}}};
  const std::vector<wasm::WitPackage> after{{{"new.wit", package(GetParam().after)}}};
  const Wit old_wit = parse(before[0][0].text);
  const Wit new_wit = parse(after[0][0].text);
  for (const std::string world : {"caller", "implementer"}) {
    const auto verdict = [&](Mode mode) {
      return judge(compare_worlds(old_wit, *find_world(old_wit, world), new_wit, *find_world(new_wit, world)), mode)
          .compatible;
    };
    const auto backward = wasm::semver_check(before, after, world);
    const auto forward = wasm::semver_check(after, before, world);
    ASSERT_TRUE(backward) << backward.error().message;
    ASSERT_TRUE(forward) << forward.error().message;
    if (backward->compatible) {
      EXPECT_EQ(verdict(Mode::Backward), *backward->compatible) << world << ": " << backward->reason;
    } else {
      fmt::print("silent about {} backward: {}\n", world, backward->reason);
    }
    if (forward->compatible) {
      EXPECT_EQ(verdict(Mode::Forward), *forward->compatible) << world << ": " << forward->reason;
    } else {
      fmt::print("silent about {} forward: {}\n", world, forward->reason);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Pairs, EveryKindOfChange, testing::ValuesIn(pairs()), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

}  // namespace
}  // namespace hotswap::compat
