#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kPath = "/api/v1/wasm/interfaces";

constexpr std::string_view kShop =
    "package acme:shop@1.0.0;\n"
    "interface api {\n"
    "  record item { price: u32 }\n"
    "  find: func(name: string) -> item;\n"
    "}\n"
    "world service { export api; }\n";

std::string with(std::string text, std::string_view was, std::string_view is) {
  const auto at = text.find(was);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, was.size(), is);
}

std::string shop(std::string_view version, std::string_view price = "u32") {
  return with(with(std::string(kShop), "1.0.0", version), "u32", price);
}

// Whoever the header names: "Bearer USER/ROLE"; Ada, an Admin, without one.
Options production() {
  Options options;
  options.single_user = false;
  options.regions = {{Region("local"), Environment::production}};
  options.identify = [](net::Exchange& exchange) -> Result<Principal> {
    const std::string_view given = exchange.header(net::http::field::authorization);
    const auto slash = given.find('/');
    if (slash == std::string_view::npos) {
      return Principal{.user = "ada", .tenant = TenantId("default"), .role = Role::Admin};
    }
    return Principal{.user = std::string(given.substr(7, slash - 7)),
                     .tenant = TenantId("default"),
                     .role = enum_from_name<Role>(given.substr(slash + 1)).value()};
  };
  return options;
}

class InterfaceApi : public testing::Test {
 protected:
  explicit InterfaceApi(Options options = {}) : platform(std::move(options)) {}

  Reply push(const std::string& wit, json::object more = {}) {
    more["witDefinition"] = wit;
    return platform.post(kPath, json::serialize(more));
  }
  Reply verb(const std::string& id, const std::string& name, const std::string& body = "") {
    return platform.post(kPath + "/" + id + "/" + name, body);
  }
  // Registered and in force.
  void establish(const std::string& wit) {
    const Reply reply = push(wit);
    ASSERT_EQ(reply.status, 201U) << reply.body;
    ASSERT_EQ(verb(reply.text("/interfaceId"), "submit").text("/status"), "Approved");
  }

  Platform platform;
};

TEST_F(InterfaceApi, RegistersAPackageAsADraftWithWhatItsTextSays) {
  const Reply reply = push(std::string(kShop), {{"description", "The shop"}, {"compatibility", "Full"}});
  ASSERT_EQ(reply.status, 201U) << reply.body;
  EXPECT_EQ(reply.header("location"), kPath + "/acme:shop@1.0.0");
  EXPECT_EQ(reply.text("/interfaceId"), "acme:shop@1.0.0");
  EXPECT_EQ(reply.text("/namespace"), "acme");
  EXPECT_EQ(reply.text("/name"), "shop");
  EXPECT_EQ(reply.text("/version"), "1.0.0");
  EXPECT_EQ(reply.text("/status"), "Draft");
  EXPECT_EQ(reply.text("/compatibility"), "Full");
  EXPECT_EQ(reply.text("/interfaces/0"), "acme:shop/api@1.0.0");
  EXPECT_EQ(reply.text("/worlds/0"), "acme:shop/service@1.0.0");
  EXPECT_EQ(reply.text("/registeredBy"), "admin");
  EXPECT_EQ(reply.text("/breaking"), "null");

  const Reply shown = platform.get(kPath + "/acme:shop@1.0.0");
  EXPECT_EQ(shown.body, reply.body);
  EXPECT_EQ(shown.text("/witDefinition"), kShop);
  EXPECT_EQ(platform.get(kPath + "/acme:shop%2Fapi@1.0.0").body, reply.body);
  EXPECT_EQ(platform.get(kPath + "/acme:shop%2Fnothing@1.0.0").status, 404U);
  EXPECT_EQ(platform.get(kPath + "/acme:shop@2.0.0").status, 404U);

  EXPECT_EQ(push(std::string(kShop)).status, 200U);
  const auto items = platform.get(kPath + "?namespace=acme").json().at("items").as_array();
  ASSERT_EQ(items.size(), 1U);
  EXPECT_FALSE(items.front().as_object().contains("witDefinition"));
}

TEST_F(InterfaceApi, SaysWhereATextIsWrong) {
  const Reply one = push("package acme:shop@1.0.0;\ninterface api {\n  find: func(name: strin);\n}\n");
  EXPECT_EQ(one.status, 400U);
  EXPECT_THAT(one.errors(), ElementsAre("witDefinition: line 3, column 20: name `strin` does not exist:   find: "
                                        "func(name: strin);"));
  const json::array files{json::object{{"path", "a.wit"}, {"text", "package acme:shop@1.0.0;\ninterface a {}\n"}},
                          json::object{{"path", "b.wit"}, {"text", "interface b {\n  f: fun();\n}\n"}}};
  const Reply several = platform.post(kPath, json::serialize(json::object{{"files", files}}));
  EXPECT_EQ(several.status, 400U);
  ASSERT_EQ(several.errors().size(), 1U);
  EXPECT_THAT(several.errors().front(), HasSubstr("files[1].text: b.wit, line 2, column"));
  EXPECT_THAT(several.errors().front(), HasSubstr("f: fun();"));

  EXPECT_THAT(push("package acme:shop;\ninterface a {}\n").errors().front(), HasSubstr("has no version"));
  EXPECT_THAT(push(std::string(kShop), {{"interfaceId", "acme:other@1.0.0"}}).errors().front(),
              HasSubstr("interfaceId: "));
  EXPECT_EQ(platform.post(kPath, "{}").status, 400U);
  EXPECT_EQ(platform.post(kPath, R"({"wit": "x"})").status, 400U);
}

TEST_F(InterfaceApi, TakesPackagesOfSeveralFilesWithDependenciesOnRegisteredOnes) {
  ASSERT_EQ(push("package acme:types@1.0.0;\ninterface t { use acme:base/b@1.0.0.{id}; record r { a: id } }\n").status,
            400U);
  ASSERT_EQ(push("package acme:base@1.0.0;\ninterface b { type id = u64; }\n").status, 201U);
  ASSERT_EQ(push("package acme:types@1.0.0;\ninterface t { use acme:base/b@1.0.0.{id}; record r { a: id } }\n").status,
            201U);
  ASSERT_EQ(push("package acme:unused@1.0.0;\ninterface t {}\n").status, 201U);
  const json::array files{
      json::object{{"path", "a.wit"},
                   {"text",
                    "package acme:user@1.0.0; // acme:unused\ninterface a { use acme:types/t@1.0.0.{r}; "
                    "use wasi:io/streams@0.2.12.{input-stream}; f: func(a: r); }\n"}},
      json::object{{"path", "b.wit"}, {"text", "interface b { use a.{r}; g: func(a: r); }\n"}}};
  const Reply reply = platform.post(kPath, json::serialize(json::object{{"files", files}}));
  ASSERT_EQ(reply.status, 201U) << reply.body;
  const auto dependencies = *from_json<std::vector<std::string>>(reply.json().at("dependencies"));
  EXPECT_THAT(dependencies, Contains("acme:types@1.0.0"));
  EXPECT_THAT(dependencies, Contains("acme:base@1.0.0"));
  EXPECT_THAT(dependencies, Contains("wasi:io@0.2.12"));
  EXPECT_THAT(dependencies, Not(Contains("acme:unused@1.0.0")));
  // A draft is registered anew though it is there already.
  EXPECT_EQ(platform.post(kPath, json::serialize(json::object{{"files", files}})).status, 200U);

  // What it depends on comes first.
  const Reply refused = verb("acme:user@1.0.0", "submit");
  EXPECT_EQ(refused.status, 409U);
  EXPECT_EQ(refused.errors().size(), 2U);
  for (const char* id : {"acme:base@1.0.0", "acme:types@1.0.0", "acme:user@1.0.0"}) {
    EXPECT_EQ(verb(id, "submit").text("/status"), "Approved") << id;
  }
}

TEST_F(InterfaceApi, HasWasiFromTheStart) {
  for (const std::string id : {"wasi:io@0.2.12", "wasi:http@0.3.0", "wasi:wasi_snapshot_preview1@0.1.0"}) {
    const Reply reply = platform.get(kPath + "/" + id);
    ASSERT_EQ(reply.status, 200U) << id << reply.body;
    EXPECT_EQ(reply.text("/status"), "Approved");
    EXPECT_EQ(reply.text("/platform"), "true");
    EXPECT_EQ(verb(id, "validate").text("/valid"), "true");
  }
  EXPECT_THAT(platform.get(kPath + "/wasi:wasi_snapshot_preview1@0.1.0").text("/functions"),
              HasSubstr("proc_exit: func(i32)"));
  EXPECT_EQ(push("package wasi:io@0.2.99;\ninterface streams {}\n").status, 409U);
  EXPECT_EQ(verb("wasi:io@0.2.12", "deprecate", R"({"reason": "old"})").status, 409U);
}

TEST_F(InterfaceApi, NamesABreakingChangeInAMinorOrPatchVersion) {
  establish(std::string(kShop));
  for (const std::string version : {"1.0.1", "1.1.0"}) {
    const Reply reply = push(shop(version, "u64"));
    ASSERT_EQ(reply.status, 201U) << reply.body;
    EXPECT_EQ(reply.text("/breaking/against"), "acme:shop@1.0.0");
    EXPECT_EQ(reply.text("/breaking/changes"), "1");
    EXPECT_THAT(reply.text("/breaking/problem"), HasSubstr("a breaking change in a "));
    EXPECT_EQ(reply.text("/breaking/suggestedVersion"), "2.0.0");
  }
  EXPECT_EQ(push(shop("2.0.0", "u64")).text("/breaking"), "null");
  EXPECT_EQ(push(shop("1.2.0", "u64"), {{"compatibility", "None"}}).text("/breaking"), "null");
  EXPECT_EQ(push(shop("1.0.2")).text("/breaking"), "null");
  // A function more breaks no caller, but whoever implements it.
  establish("package acme:log@1.0.0;\ninterface log { f: func(); }\n");
  const std::string more = "package acme:log@1.1.0;\ninterface log { f: func(); g: func(); }\n";
  EXPECT_EQ(push(more).text("/breaking"), "null");
  EXPECT_EQ(push(with(more, "1.1.0", "1.2.0"), {{"compatibility", "Full"}}).text("/breaking/problem"),
            "1 change is not compatible with acme:log@1.0.0 as Full asks");
}

TEST_F(InterfaceApi, ShowsWhatChangedBetweenTwoVersions) {
  establish(std::string(kShop));
  establish(shop("1.0.1", "u64"));
  const Reply reply = platform.get(kPath + "/acme:shop@1.0.0/diff?to=acme:shop@1.0.1");
  ASSERT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.text("/compatible"), "false");
  EXPECT_EQ(reply.text("/changes/0/path"), "acme:shop/api.item.price");
  EXPECT_EQ(reply.text("/changes/0/breaking"), "true");
  EXPECT_EQ(reply.text("/version/suggested"), "2.0.0");
  EXPECT_EQ(platform.get(kPath + "/acme:shop@1.0.0/diff?to=acme:shop@1.0.1&mode=None").text("/compatible"), "true");
  EXPECT_EQ(platform.get(kPath + "/acme:shop@1.0.0/diff").status, 400U);
  EXPECT_EQ(platform.get(kPath + "/acme:shop@1.0.0/diff?to=acme:shop@9.0.0").status, 400U);
  EXPECT_EQ(platform.get(kPath + "/acme:shop@1.0.0/diff?to=wasi:io@0.2.12").status, 400U);
  EXPECT_EQ(platform.get(kPath + "/acme:shop@9.0.0/diff?to=acme:shop@1.0.1").status, 404U);
}

TEST_F(InterfaceApi, WarnsOfWhatIsDeprecated) {
  establish("package acme:base@1.0.0;\ninterface b { type id = u64; }\n");
  establish("package acme:user@1.0.0;\ninterface u { use acme:base/b@1.0.0.{id}; f: func(a: id); }\n");
  const Reply reply = verb("acme:base@1.0.0", "deprecate",
                           R"({"reason": "too small", "migrationGuide": "https://acme.example/2",
                               "sunsetAt": "2100-01-01T00:00:00.000Z"})");
  ASSERT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.text("/status"), "Deprecated");
  EXPECT_EQ(reply.text("/sunsetAt"), "2100-01-01T00:00:00.000Z");
  const Reply validation = verb("acme:user@1.0.0", "validate");
  EXPECT_EQ(validation.text("/valid"), "true");
  EXPECT_EQ(validation.text("/warnings/0"),
            "acme:base@1.0.0 is deprecated: too small; see https://acme.example/2; it is to be gone at "
            "2100-01-01T00:00:00.000Z");
  EXPECT_EQ(verb("acme:base@1.0.0", "deprecate", R"({"reason": ""})").status, 400U);
}

TEST_F(InterfaceApi, HoldsAModuleAgainstWhatIsRegistered) {
  platform.upload("adder", "1.0.0");
  const auto check = [&](json::object body) { return platform.post(kPath + "/check", json::serialize(body)); };
  EXPECT_EQ(check({{"moduleId", "adder-v1.0.0"}}).text("/fits"), "true");
  establish(
      "package acme:math@1.0.0;\nworld adding { export add: func(a: u32, b: u32) -> u32; }\n"
      "world more { export add: func(a: u32, b: u32) -> u32; export sub: func(a: u32, b: u32) -> u32; }\n");
  EXPECT_EQ(check({{"moduleId", "adder-v1.0.0"}, {"world", "acme:math/adding@1.0.0"}}).text("/fits"), "true");
  const Reply lacking = check({{"moduleId", "adder-v1.0.0"}, {"world", "acme:math/more@1.0.0"}});
  EXPECT_EQ(lacking.text("/fits"), "false");
  EXPECT_THAT(lacking.body, HasSubstr("\"sub\""));
  EXPECT_EQ(check({{"moduleId", "adder-v1.0.0"}, {"world", "acme:math/none@1.0.0"}}).status, 400U);
  EXPECT_EQ(check({{"moduleId", "nobody-v1.0.0"}}).status, 404U);
  EXPECT_EQ(check({}).status, 400U);
  const Reply sent =
      platform.send("POST", kPath + "/check?world=acme:math/adding@1.0.0", tiny_module("x"), "application/wasm");
  EXPECT_EQ(sent.text("/fits"), "true") << sent.body;
}

TEST_F(InterfaceApi, RefusesAModuleWhoseImportsHaveOtherTypes) {
  auto description = FakeInspector::adder();
  description.imports = {{"wasi_snapshot_preview1#fd_write", "func", {{std::nullopt, "i32"}}, {"i32"}}};
  platform.inspector().set(tiny_module("wrong"), description);
  const Reply refused = platform.upload("wrong", "1.0.0", tiny_module("wrong"));
  EXPECT_EQ(refused.status, 422U);
  ASSERT_EQ(refused.errors().size(), 1U) << refused.body;
  EXPECT_THAT(refused.errors().front(), HasSubstr("binary: import wasi_snapshot_preview1#fd_write"));
  EXPECT_THAT(refused.errors().front(), HasSubstr("func(i32, i32, i32, i32) -> i32 is meant"));
  EXPECT_EQ(platform.get("/api/v1/wasm/modules/wrong-v1.0.0").status, 404U);
}

class DeploymentGate : public InterfaceApi {
 protected:
  // Version 1 of "greeter" is in place; version 2 exports `sub` where it exported `add`.
  DeploymentGate() {
    auto other = FakeInspector::adder();
    other.exports.front().name = "sub";
    platform.inspector().set(tiny_module("greeter2.0.0"), other);
    finish(platform.create("greeter", "1.0.0"));
  }
  void finish(const std::string& id) {
    EXPECT_EQ(platform.verb(id, "execute").status, 202U);
    EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
  }
  TestNode node{platform, "node-1"};
};

TEST_F(DeploymentGate, StopsWhatBreaksCallersUntilAnAdminApproves) {
  const std::string id = platform.create("greeter", "2.0.0");
  const auto events = platform.events(id);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events.front().detail.at("breaksCallers").as_array().size(), 1U);
  const Reply stopped = platform.verb(id, "execute");
  EXPECT_EQ(stopped.status, 409U);
  ASSERT_EQ(stopped.errors().size(), 1U) << stopped.body;
  EXPECT_THAT(stopped.errors().front(), HasSubstr("add: was func(i32, i32) -> i32, is gone"));
  EXPECT_THAT(stopped.errors().front(), HasSubstr("greeter-v1.0.0 in local"));
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::Pending);
  EXPECT_EQ(platform.verb(id, "approve").status, 200U);
  finish(id);
}

TEST_F(DeploymentGate, LetsPassWhatBreaksNobodyAndNewRoutes) {
  finish(platform.create("greeter", "1.1.0"));
  platform.inspector().set(tiny_module("other2.0.0"), FakeInspector::adder());
  finish(platform.create("other", "2.0.0"));
}

class ProductionRegistry : public InterfaceApi {
 protected:
  ProductionRegistry() : InterfaceApi(production()) {}

  Reply as(const std::string& who, const std::string& id, const std::string& name, std::string body = "") {
    net::ClientRequest request;
    request.method = "POST";
    request.target = kPath + "/" + id + "/" + name;
    request.headers = {{"Authorization", "Bearer " + who}};
    request.body = std::move(body);
    return platform.send(std::move(request));
  }
};

TEST_F(ProductionRegistry, PutsNothingInForceWithoutAnotherAdmin) {
  ASSERT_EQ(push(std::string(kShop)).status, 201U);
  EXPECT_EQ(verb("acme:shop@1.0.0", "approve").status, 403U);
  EXPECT_EQ(as("eve/Admin", "acme:shop@1.0.0", "approve").status, 409U);  // not submitted yet
  EXPECT_EQ(verb("acme:shop@1.0.0", "submit").text("/status"), "PendingApproval");
  EXPECT_EQ(push(shop("1.0.0", "u64")).status, 409U);
  EXPECT_EQ(verb("acme:shop@1.0.0", "approve").status, 403U);
  for (const char* role : {"eve/Viewer", "eve/Operator", "eve/Developer"}) {
    EXPECT_EQ(as(role, "acme:shop@1.0.0", "approve").status, 403U) << role;
  }
  const Reply approved = as("eve/Admin", "acme:shop@1.0.0", "approve");
  EXPECT_EQ(approved.status, 200U);
  EXPECT_EQ(approved.text("/approvedBy"), "eve");

  // A breaking change in a patch version waits for an Admin as well, and says what it is.
  const Reply breaking = push(shop("1.0.1", "u64"));
  EXPECT_EQ(breaking.text("/breaking/against"), "acme:shop@1.0.0");
  const Reply pending = verb("acme:shop@1.0.1", "submit");
  EXPECT_EQ(pending.text("/status"), "PendingApproval");
  EXPECT_THAT(pending.text("/breaking/problem"), HasSubstr("a breaking change in a patch version"));
}

TEST_F(ProductionRegistry, RejectsWithAReasonAndTakesABetterText) {
  ASSERT_EQ(push(std::string(kShop)).status, 201U);
  ASSERT_EQ(verb("acme:shop@1.0.0", "submit").status, 200U);
  EXPECT_EQ(as("eve/Admin", "acme:shop@1.0.0", "reject", "{}").status, 400U);
  const Reply rejected = as("eve/Admin", "acme:shop@1.0.0", "reject", R"({"reason": "prices need u64"})");
  EXPECT_EQ(rejected.text("/status"), "Rejected");
  EXPECT_EQ(rejected.text("/rejectionReason"), "prices need u64");
  EXPECT_EQ(push(shop("1.0.0", "u64")).status, 201U);
  EXPECT_EQ(verb("acme:shop@1.0.0", "submit").text("/status"), "PendingApproval");
}

}  // namespace
}  // namespace hotswap::control
