#include <filesystem>

#include "cli/test_console.h"

namespace hotswap::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view kFirst =
    "package acme:shop@1.0.0;\ninterface api {\n  record item { price: u32 }\n  find: func(name: string) -> item;\n}\n";
constexpr std::string_view kAdded =
    "package acme:shop@1.1.0;\ninterface api {\n  record item { price: u32 }\n  find: func(name: string) -> item;\n  "
    "count: func() -> u32;\n}\n";
constexpr std::string_view kBroken =
    "package acme:shop@1.0.1;\ninterface api {\n  record item { price: u64 }\n  find: func(name: string) -> item;\n}\n";

class InterfaceTest : public CommandTest {
 protected:
  InterfaceTest() {
    write_file("first.wit", std::string(kFirst));
    write_file("added.wit", std::string(kAdded));
    write_file("broken.wit", std::string(kBroken));
  }
  int diff(const std::string& from, const std::string& to, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"interface", "diff", path(from), path(to)};
    words.insert(words.end(), more.begin(), more.end());
    return console.run(words);
  }
  [[nodiscard]] json::value printed() const { return parse_json(console.out).value(); }
};

TEST_F(InterfaceTest, DiffListsWhatBreaksAndFails) {
  EXPECT_EQ(diff("first.wit", "broken.wit"), 1);
  EXPECT_EQ(console.out,
            "acme:shop@1.0.0 → acme:shop@1.0.1\n"
            "✗ acme:shop/api.item.price  field type changed, breaks callers and implementers\n"
            "    - price: u32\n"
            "    + price: u64\n"
            "1 change, 1 breaking under mode Backward\n"
            "version: a breaking change in a patch version: 1.0.0 → 1.0.1; 2.0.0 is needed\n");
  EXPECT_THAT(console.err, IsEmpty());
}

TEST_F(InterfaceTest, DiffPassesWhatBreaksNobodyUnderTheMode) {
  EXPECT_EQ(diff("first.wit", "added.wit"), 0);
  EXPECT_THAT(console.out,
              HasSubstr("! acme:shop/api.count  function added, breaks implementers\n    + func() -> u32\n"));
  EXPECT_THAT(console.out, HasSubstr("1 change, none breaking under mode Backward\n"));
  EXPECT_EQ(diff("first.wit", "added.wit", {"--mode", "forward"}), 1);
  EXPECT_EQ(diff("first.wit", "added.wit", {"--mode", "full"}), 1);
  EXPECT_EQ(diff("first.wit", "broken.wit", {"--mode", "none"}), 0);
  EXPECT_EQ(diff("first.wit", "first.wit", {"--mode", "full"}), 0);
  EXPECT_THAT(console.out, HasSubstr("No changes.\n"));
}

TEST_F(InterfaceTest, DiffPrintsJsonForPrograms) {
  EXPECT_EQ(diff("first.wit", "broken.wit", {"--output", "json"}), 1);
  const auto document = printed();
  EXPECT_EQ(document.at("compatible"), false);
  EXPECT_EQ(document.at("mode"), "Backward");
  EXPECT_EQ(document.at("breaking"), 1);
  EXPECT_EQ(document.at("version").at("suggested"), "2.0.0");
  const auto& change = document.at("changes").at(0);
  EXPECT_EQ(change.at("path"), "acme:shop/api.item.price");
  EXPECT_EQ(change.at("kind"), "FieldTypeChanged");
  EXPECT_EQ(change.at("was"), "price: u32");
  EXPECT_EQ(change.at("is"), "price: u64");
  EXPECT_EQ(change.at("breaks"), "Both");
  EXPECT_EQ(change.at("breaking"), true);
}

TEST_F(InterfaceTest, DiffColoursATerminalOnly) {
  console.terminal.out = true;
  diff("first.wit", "broken.wit");
  EXPECT_THAT(console.out, HasSubstr("\x1b[31m✗\x1b[0m"));
  diff("first.wit", "broken.wit", {"--no-color"});
  EXPECT_THAT(console.out, Not(HasSubstr("\x1b[")));
}

TEST_F(InterfaceTest, DiffShowsWhereTextIsWrong) {
  write_file("wrong.wit", "package acme:shop@1.0.0;\ninterface api {\n\tfind: func(name: strin);\n}\n");
  EXPECT_EQ(diff("first.wit", "wrong.wit"), 2);
  EXPECT_THAT(console.out, IsEmpty());
  EXPECT_EQ(console.err, "error: Invalid WIT: " + path("wrong.wit") +
                             ":3:19: name `strin` does not exist\n"
                             "  3 | \tfind: func(name: strin);\n"
                             "    | \t                 ^^^^^\n");
  EXPECT_EQ(diff("first.wit", "wrong.wit", {"--output", "json"}), 2);
  const auto failure = parse_json(console.err).value();
  EXPECT_EQ(std::string(failure.at("errors").at(0).at("field").as_string()), path("wrong.wit") + ":3:19");
}

TEST_F(InterfaceTest, DiffReadsFoldersWithDependencies) {
  for (const std::string version : {"old", "new"}) {
    const std::string field = version == "old" ? "u8" : "u16";
    std::filesystem::create_directories(path(version + "/deps/types"));
    write_file(version + "/a.wit", "package acme:shop@1.0.0;\ninterface a { use acme:types/t.{r}; f: func(a: r); }\n");
    write_file(version + "/b.wit", "interface b { use acme:log/log.{level}; g: func(a: level); }\n");
    write_file(version + "/deps/types/t.wit", "package acme:types;\ninterface t { record r { a: " + field + " } }\n");
    write_file(version + "/deps/log.wit", "package acme:log;\ninterface log { type level = u8; }\n");
    write_file(version + "/deps/README.md", "not WIT");
  }
  EXPECT_EQ(diff("old", "new"), 1);
  EXPECT_THAT(console.out, HasSubstr("✗ acme:types/t.r.a  field type changed"));
}

TEST_F(InterfaceTest, DiffTakesDependenciesFromElsewhere) {
  write_file("user.wit", "package acme:user;\ninterface i { use acme:shop/api@1.0.0.{item}; f: func(a: item); }\n");
  EXPECT_EQ(diff("user.wit", "user.wit"), 2);
  EXPECT_EQ(diff("user.wit", "user.wit", {"--wit", path("first.wit")}), 0) << console.err;
}

TEST_F(InterfaceTest, DiffOfOneWorldLeavesTheOthersOut) {
  const auto worlds = [](const std::string& other) {
    return "package acme:shop@1.0.0;\nworld one { export f: func(); }\nworld two { export g: func(" + other + "); }\n";
  };
  write_file("one.wit", worlds(""));
  write_file("two.wit", worlds("a: u8"));
  EXPECT_EQ(diff("one.wit", "two.wit"), 1);
  EXPECT_EQ(diff("one.wit", "two.wit", {"--world", "one"}), 0);
  EXPECT_EQ(diff("one.wit", "two.wit", {"--world", "two"}), 1);
  EXPECT_EQ(diff("one.wit", "two.wit", {"--world", "three"}), 2);
  EXPECT_THAT(console.err, HasSubstr("there is no world \"three\"; known are acme:shop/one, acme:shop/two"));
}

TEST_F(InterfaceTest, DiffRefusesWhatCannotBeCompared) {
  write_file("other.wit", "package acme:other;\n");
  EXPECT_EQ(diff("first.wit", "other.wit"), 2);
  EXPECT_THAT(console.err, HasSubstr("acme:shop and acme:other"));
  EXPECT_EQ(diff("first.wit", "nowhere.wit"), 2);
  EXPECT_THAT(console.err, HasSubstr("nowhere.wit"));
  EXPECT_EQ(diff("first.wit", "added.wit", {"--mode", "sideways"}), 2);
}

// (module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (func (export "run")))
constexpr std::string_view kCore(
    "\0asm\x01\0\0\0"
    "\x01\x08\x02\x60\x01\x7f\x00\x60\x00\x00"
    "\x02\x24\x01\x16wasi_snapshot_preview1\x09proc_exit\x00\x00"
    "\x03\x02\x01\x01"
    "\x07\x07\x01\x03run\x00\x01"
    "\x0a\x04\x01\x02\x00\x0b",
    75);

TEST_F(InterfaceTest, CheckFindsWhatACoreModuleImports) {
  write_file("run.wasm", std::string(kCore));
  EXPECT_EQ(console.run({"interface", "check", path("run.wasm")}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("✓ import wasi_snapshot_preview1#proc_exit  fits wasi_snapshot_preview1\n"));
  EXPECT_THAT(console.out, HasSubstr("\nfits\n"));
}

TEST_F(InterfaceTest, CheckHoldsACoreModuleAgainstAWorld) {
  write_file("run.wasm", std::string(kCore));
  write_file("good.wit", "package a:b;\nworld runner { export run: func(); }\n");
  write_file("bad.wit", "package a:b;\nworld runner { export run: func() -> u32; export stop: func(); }\n");
  const auto check = [&](const std::string& wit, const std::string& world) {
    return console.run({"interface", "check", path("run.wasm"), "--wit", path(wit), "--world", world});
  };
  EXPECT_EQ(check("good.wit", "runner"), 0) << console.out << console.err;
  EXPECT_EQ(check("good.wit", "a:b/runner"), 0) << console.out << console.err;
  EXPECT_EQ(check("bad.wit", "runner"), 1);
  EXPECT_THAT(console.out, HasSubstr("the module has func(), where func() -> i32 is meant"));
  EXPECT_THAT(console.out, HasSubstr("✗ export stop  missing"));
  EXPECT_THAT(console.out, HasSubstr("does not fit\n"));
  EXPECT_EQ(check("good.wit", "walker"), 2);
  EXPECT_EQ(console.run({"interface", "check", path("run.wasm"), "--world", "runner"}), 2);
  EXPECT_THAT(console.err, HasSubstr("--wit"));
}

TEST_F(InterfaceTest, CheckWantsAModule) {
  EXPECT_EQ(console.run({"interface", "check", path("first.wit")}), 2);
  EXPECT_THAT(console.err, HasSubstr("is a WIT package"));
  write_file("cut.wasm", std::string(kCore.substr(0, 40)));
  EXPECT_EQ(console.run({"interface", "check", path("cut.wasm")}), 2);
  EXPECT_THAT(console.err, HasSubstr("cut.wasm"));
}

constexpr std::string_view kShopPath = "/api/v1/wasm/interfaces/acme%3Ashop%401.0.0";

TEST_F(InterfaceTest, PushSendsAPackageAndSaysWhatComesNext) {
  server.on("POST /api/v1/wasm/interfaces",
            {.status = 201, .body = R"({"interfaceId": "acme:shop@1.0.0", "status": "Draft", "breaking": null})"});
  EXPECT_EQ(console.run({"interface", "push", path("first.wit"), "--compatibility", "Full"}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("acme:shop@1.0.0  Draft\n"));
  const auto sent = parse_json(server.request("POST /api/v1/wasm/interfaces").body).value();
  EXPECT_EQ(std::string(sent.at("witDefinition").as_string()), kFirst);
  EXPECT_EQ(sent.at("compatibility"), "Full");
}

TEST_F(InterfaceTest, PushOfAFolderSendsItsFilesAndMaySubmit) {
  std::filesystem::create_directories(path("wit/deps"));
  write_file("wit/a.wit", "package acme:shop@1.0.0;\n");
  write_file("wit/b.wit", "interface b {}\n");
  write_file("wit/deps/log.wit", "package acme:log@1.0.0;\n");
  server.on("POST /api/v1/wasm/interfaces", {.status = 201, .body = R"({"interfaceId": "acme:shop@1.0.0"})"});
  server.on("POST " + std::string(kShopPath) + "/submit",
            {.body = R"({"interfaceId": "acme:shop@1.0.0", "status": "PendingApproval", "breaking":
                         {"against": "acme:shop@0.9.0", "problem": "a breaking change"}})"});
  EXPECT_EQ(console.run({"interface", "push", path("wit"), "--submit"}), 0) << console.err;
  EXPECT_THAT(console.out,
              HasSubstr("acme:shop@1.0.0  PendingApproval\n! a breaking change (against acme:shop@0.9.0)"));
  const auto sent = parse_json(server.request("POST /api/v1/wasm/interfaces").body).value();
  ASSERT_EQ(sent.at("files").as_array().size(), 2U);
  EXPECT_EQ(sent.at("files").at(1).at("path"), "b.wit");
}

TEST_F(InterfaceTest, PushShowsTheServersValidationErrorsByFile) {
  const auto refuse = [&](const std::string& field, const std::string& message) {
    server.on("POST /api/v1/wasm/interfaces",
              {.status = 400,
               .body = R"({"title": "Bad Request", "status": 400, "detail": "invalid", "errors": [{"field": ")" +
                       field + R"(", "message": ")" + message + R"("}]})",
               .content_type = "application/problem+json"});
  };
  refuse("witDefinition", "line 3, column 20: no");
  refuse("files[1].text", "b.wit, line 1, column 2: no");
  refuse("files[2].text", "no");
  EXPECT_EQ(console.run({"interface", "push", path("first.wit")}), 1);
  EXPECT_THAT(console.err, HasSubstr("  " + path("first.wit") + ": line 3, column 20: no\n"));

  std::filesystem::create_directories(path("wit"));
  write_file("wit/a.wit", "package acme:shop@1.0.0;\n");
  write_file("wit/b.wit", "interface b {}\n");
  EXPECT_EQ(console.run({"interface", "push", path("wit")}), 1);
  EXPECT_THAT(console.err, HasSubstr("  " + path("wit/b.wit") + ": line 1, column 2: no\n"));
  EXPECT_EQ(console.run({"interface", "push", path("wit")}), 1);
  EXPECT_THAT(console.err, HasSubstr("  files[2].text: no\n"));
}

TEST_F(InterfaceTest, LsAndShowPrintWhatIsRegistered) {
  const std::string one = R"({"interfaceId": "acme:shop@1.0.0", "status": "Deprecated", "compatibility": "Backward",
      "registeredBy": "ada", "registeredAt": "2026-11-21T11:00:00.000Z", "deprecationReason": "use 2.0.0",
      "interfaces": ["acme:shop/api@1.0.0"], "breaking": null, "witDefinition": "package acme:shop@1.0.0;\n"})";
  server.on("GET /api/v1/wasm/interfaces", {.body = R"({"items": [)" + one + R"(], "nextCursor": null})"});
  server.on("GET " + std::string(kShopPath), {.body = one});
  EXPECT_EQ(console.run({"interface", "ls", "--namespace", "acme"}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("acme:shop@1.0.0"));
  EXPECT_THAT(console.out, HasSubstr("use 2.0.0"));
  EXPECT_THAT(server.request("GET /api/v1/wasm/interfaces").target, HasSubstr("namespace=acme"));
  EXPECT_EQ(console.run({"interface", "show", "acme:shop@1.0.0"}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("acme:shop/api@1.0.0"));
  EXPECT_EQ(console.run({"interface", "show", "acme:shop@1.0.0", "--wit"}), 0) << console.err;
  EXPECT_EQ(console.out, "package acme:shop@1.0.0;\n");
}

TEST_F(InterfaceTest, VerbsAskTheServer) {
  for (const std::string verb : {"submit", "approve", "reject", "deprecate"}) {
    server.on("POST " + std::string(kShopPath) + "/" + verb,
              {.body = R"({"interfaceId": "acme:shop@1.0.0", "status": "Approved", "breaking": null})"});
  }
  EXPECT_EQ(console.run({"interface", "approve", "acme:shop@1.0.0"}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("acme:shop@1.0.0  Approved\n"));
  EXPECT_EQ(console.run({"interface", "reject", "acme:shop@1.0.0"}), 2);
  EXPECT_EQ(console.run({"interface", "deprecate", "acme:shop@1.0.0", "--reason", "old", "--migration-guide", "m",
                         "--sunset", "2027-06-30T00:00:00.000Z"}),
            0)
      << console.err;
  const auto sent = parse_json(server.request("POST " + std::string(kShopPath) + "/deprecate").body).value();
  EXPECT_EQ(sent.at("reason"), "old");
  EXPECT_EQ(sent.at("migrationGuide"), "m");
  EXPECT_EQ(sent.at("sunsetAt"), "2027-06-30T00:00:00.000Z");
}

TEST_F(InterfaceTest, DiffOfRegisteredOnesIsTheServers) {
  server.on("GET " + std::string(kShopPath) + "/diff",
            {.body = R"({"mode": "Full", "compatible": false, "breaking": 1, "subject": "Contract",
                         "from": "acme:shop@1.0.0", "to": "acme:shop@1.0.1", "fromVersion": "1.0.0",
                         "toVersion": "1.0.1", "changes": [{"kind": "FieldTypeChanged",
                         "path": "acme:shop/api.item.price", "was": "price: u32", "is": "price: u64",
                         "breaks": "Both", "modules": "Call", "hint": "", "breaking": true}]})"});
  EXPECT_EQ(console.run({"interface", "diff", "acme:shop@1.0.0", "acme:shop@1.0.1"}), 1) << console.err;
  EXPECT_THAT(console.out, HasSubstr("✗ acme:shop/api.item.price  field type changed"));
  EXPECT_THAT(console.out, HasSubstr("under mode Full"));
  EXPECT_THAT(console.out, HasSubstr("2.0.0 is needed"));
}

TEST_F(InterfaceTest, CheckAgainstTheRegistrySendsTheModule) {
  write_file("run.wasm", std::string(kCore));
  server.on("POST /api/v1/wasm/interfaces/check",
            {.body = R"({"fits": false, "imports": [], "exports": [{"name": "run", "fit": "Missing", "by": "",
                         "changes": [], "detail": ""}]})"});
  EXPECT_EQ(console.run({"interface", "check", path("run.wasm"), "--registry", "--world", "a:b/c@1.0.0"}), 1);
  EXPECT_THAT(console.out, HasSubstr("✗ export run  missing"));
  const auto sent = server.request("POST /api/v1/wasm/interfaces/check");
  EXPECT_EQ(sent.body, kCore);
  EXPECT_THAT(sent.target, HasSubstr("world=a%3Ab%2Fc%401.0.0"));
}

}  // namespace
}  // namespace hotswap::cli
