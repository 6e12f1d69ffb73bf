#include "compat/wit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/wasm/interfaces.h"

namespace hotswap::compat {
namespace {

Wit parse(const std::string& text) {
  auto wit = wasm::parse_wit({{{"test.wit", text}}});
  if (!wit) ADD_FAILURE() << wasm::to_error(wit.error()).detail;
  return wit ? *std::move(wit) : Wit{};
}

Wit in_interface(const std::string& body) { return parse("package a:b@1.2.3;\ninterface i {\n" + body + "\n}\n"); }

TEST(WitText, OfAFunctionIsWhatStandsInWit) {
  for (const std::string text :
       {"func()", "func(a: u8, b: string) -> bool", "async func(a: list<u8>) -> option<char>",
        "func(a: tuple<s8, s16>, b: result, c: result<u32>, d: result<_, string>, e: result<u8, u16>)",
        "func(a: stream<u8>, b: stream, c: future, d: future<f32>)", "func(a: map<string, f64>, b: list<s64, 4>)",
        "func(a: error-context, b: s32, c: u64)"}) {
    const Wit wit = in_interface("f: " + text + ";");
    EXPECT_EQ(text_of(wit, wit.interfaces[0].functions.at(0)), text);
  }
}

TEST(WitText, OfAResourcesFunctionLeavesItsOwnHandleOut) {
  const Wit wit = in_interface(
      "resource r { constructor(a: u8); m: func(b: borrow<r>) -> r; s: static func() -> string; n: static async "
      "func(); }");
  const auto& functions = wit.interfaces[0].functions;
  ASSERT_EQ(functions.size(), 4U);
  EXPECT_EQ(text_of(wit, functions[0]), "constructor(a: u8)");
  EXPECT_EQ(text_of(wit, functions[1]), "func(b: borrow<r>) -> r");
  EXPECT_EQ(text_of(wit, functions[2]), "static func() -> string");
  EXPECT_EQ(text_of(wit, functions[3]), "static async func()");
  EXPECT_EQ(functions[1].name, "m");
}

TEST(WitText, OfATypeIsItsDefinition) {
  for (const std::string text :
       {"record t { a: u8, b: list<string> }", "variant t { a, b(u8) }", "enum t { a, b }", "flags t { a, b }",
        "resource t", "type t = u8", "type t = list<option<u8>>", "type t = tuple<u8, u8>"}) {
    const bool braced = text.ends_with('}');
    const Wit wit = in_interface(text + (braced ? "" : ";"));
    EXPECT_EQ(text_of(wit, wit.types[wit.interfaces[0].types.at(0).second]), text);
  }
}

TEST(WitText, OfGatesNamesThemAll) {
  const Wit wit = in_interface(
      "@since(version = 1.0.0) @deprecated(version = 1.2.0) f: func();\n@unstable(feature = fast) g: func();\nh: "
      "func();");
  const auto& functions = wit.interfaces[0].functions;
  EXPECT_EQ(text_of(functions[0].gate), "@since(version = 1.0.0) @deprecated(version = 1.2.0)");
  EXPECT_EQ(text_of(functions[1].gate), "@unstable(feature = fast)");
  EXPECT_EQ(text_of(functions[2].gate), "");
}

TEST(Wit, NamesPackagesInterfacesAndWorlds) {
  const Wit wit =
      parse("package a:b@1.2.3;\ninterface i {}\nworld w { import i; import k: interface { f: func(); } }\n");
  EXPECT_EQ(id_of(wit.main_package()), "a:b@1.2.3");
  EXPECT_EQ(path_of(wit, wit.worlds[0]), "a:b/w");
  ASSERT_EQ(wit.worlds[0].imports.size(), 2U);
  EXPECT_EQ(path_of(wit, wit.interfaces[*wit.worlds[0].imports[0].interface]), "a:b/i");
  EXPECT_EQ(wit.worlds[0].imports[0].name, "");
  EXPECT_EQ(wit.worlds[0].imports[1].name, "k");
}

TEST(Wit, FindsAWorldByItsNameOrAsTheOnlyOne) {
  const Wit two = parse("package a:b@1.2.3;\nworld v {}\nworld w { include wasi:cli/command@0.2.12; }\n");
  EXPECT_EQ(two.worlds[find_world(two, "w").value()].name, "w");
  EXPECT_EQ(two.worlds[find_world(two, "a:b/v").value()].name, "v");
  EXPECT_EQ(path_of(two, two.worlds[find_world(two, "wasi:cli/command").value()]), "wasi:cli/command");
  const auto unnamed = find_world(two, "");
  ASSERT_FALSE(unnamed);
  EXPECT_EQ(unnamed.error().detail, "name a world; a:b@1.2.3 has a:b/v, a:b/w");
  EXPECT_EQ(find_world(two, "x").error().kind, ErrorKind::kNotFound);
  const Wit one = parse("package a:b;\nworld w {}\n");
  EXPECT_TRUE(find_world(one, ""));
}

TEST(Wit, RefusesWhatIsNoDescription) {
  for (const std::string text : {"", "{}", "[]", R"({"kind":"package","main":3,"world":null,"resolve":{"packages":[],
       "worlds":[],"interfaces":[],"types":[]}})"}) {
    EXPECT_FALSE(read_wit(text)) << text;
  }
  // An index of a later type would send whoever follows it round in circles.
  const std::string circular = R"({"kind":"package","main":0,"world":null,"resolve":{"packages":[{"name":"a:b",
      "interfaces":{},"worlds":{}}],"worlds":[],"interfaces":[],"types":[{"name":null,"kind":{"list":0},"owner":null}]}})";
  const auto refused = read_wit(circular);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, testing::HasSubstr("later"));
}

}  // namespace
}  // namespace hotswap::compat
