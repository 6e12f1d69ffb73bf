// Commands about modules and calls, against a server that answers what it is told.
#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "cli/test_console.h"

namespace hotswap::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const std::string kBinary("\0asm\1\0\0\0", 8);

std::string module_document(const std::string& name, const std::string& version, const std::string& more = {}) {
  return R"({"moduleId":")" + name + "-v" + version + R"(","name":")" + name + R"(","version":")" + version +
         R"(","description":"Says hello","checksum":")" + Sha256::of(kBinary).hex() +
         R"(","sizeBytes":8,"kind":"Core","wasiVersion":"None","httpHandler":null,"exportedFunctions":["add","sub"],)" +
         R"("findings":[],"limits":{"maxMemoryMB":128,"environmentVariables":{"A":"1"}},"metadata":{"commit":"abc"},)" +
         R"("registeredAt":"2026-11-21T11:57:00.000Z","registeredBy":"admin","status":"Active",)" +
         R"("deploymentCount":0,"invocationCount":7)" + more + "}";
}

constexpr const char* kProblem = R"({"type":"about:blank","title":"Bad Request","status":400,"detail":"two rules",
  "traceId":"00112233445566778899aabbccddeeff",
  "errors":[{"field":"name","message":"is odd"},{"field":"limits.maxMemoryMB","message":"is too large"}]})";

// ---- push

using ModulePush = CommandTest;

TEST_F(ModulePush, SendsRegistrationAndFileAndSaysWhatToDoNext) {
  write_file("hello-v1.0.0.wasm", kBinary);
  server.on("POST /api/v1/wasm/modules", {.status = 201, .body = module_document("hello", "1.0.0")});
  EXPECT_EQ(
      console.run({"module", "push", path("hello-v1.0.0.wasm"), "--env", "A=1", "--env", "B=2", "--memory", "64"}), 0)
      << console.err;
  const auto request = server.request("POST /api/v1/wasm/modules");
  EXPECT_THAT(request.headers.at("content-type"), StartsWith("multipart/form-data; boundary="));
  EXPECT_THAT(request.body, HasSubstr("\r\n\r\n" + kBinary + "\r\n--"));
  const auto begin = request.body.find('{');
  const auto end = request.body.find("\r\n--", begin);
  const auto registration = json::parse(request.body.substr(begin, end - begin));
  EXPECT_EQ(registration.at("name"), "hello");
  EXPECT_EQ(registration.at("version"), "1.0.0");
  EXPECT_EQ(registration.at("limits").at("maxMemoryMB"), 64);
  EXPECT_EQ(registration.at("limits").at("environmentVariables").as_object().size(), 2U);
  EXPECT_THAT(console.out, HasSubstr("hello-v1.0.0"));
  EXPECT_THAT(console.out, HasSubstr(Sha256::of(kBinary).hex()));
  EXPECT_THAT(console.out, HasSubstr("add, sub"));
  EXPECT_THAT(console.out, HasSubstr("hotswap deploy hello@1.0.0"));
  EXPECT_THAT(console.err, IsEmpty());
}

TEST_F(ModulePush, StreamsLargeFilesWithABarOnATerminal) {
  console.terminal.err = true;
  const std::string large = kBinary + std::string(3U << 20U, 'x');
  write_file("big@2.0.0.wasm", large);
  server.on("POST /api/v1/wasm/modules", {.status = 201, .body = module_document("big", "2.0.0")});
  EXPECT_EQ(console.run({"module", "push", path("big@2.0.0.wasm")}), 0) << console.err;
  EXPECT_THAT(server.request("POST /api/v1/wasm/modules").body, HasSubstr(large));
  EXPECT_THAT(console.err, HasSubstr("Uploading ["));
  EXPECT_THAT(console.err, HasSubstr("100%  3.0 MiB of 3.0 MiB"));
  EXPECT_TRUE(console.err.ends_with("\r\x1b[K")) << "the bar is wiped";
}

TEST_F(ModulePush, ShowsFindingsAsWarnings) {
  write_file("a-v1.0.0.wasm", kBinary);
  auto body = module_document("a", "1.0.0");
  const std::string none = R"("findings":[])";
  body.replace(body.find(none), none.size(),
               R"("findings":[{"rule":"endless-export","subject":"spin","message":"never returns"}])");
  server.on("POST /api/v1/wasm/modules", {.status = 201, .body = body});
  EXPECT_EQ(console.run({"module", "push", path("a-v1.0.0.wasm"), "--quiet"}), 0);
  EXPECT_EQ(console.out, "a-v1.0.0\n");
  EXPECT_EQ(console.err, "warning: spin: never returns\n");
}

TEST_F(ModulePush, ListsEveryFieldThatTheServerRefuses) {
  write_file("a-v1.0.0.wasm", kBinary);
  server.on("POST /api/v1/wasm/modules", {.status = 400, .body = kProblem, .content_type = "application/problem+json"});
  EXPECT_EQ(console.run({"module", "push", path("a-v1.0.0.wasm")}), 1);
  EXPECT_THAT(console.err, HasSubstr("error: Bad Request\n  name: is odd\n  limits.maxMemoryMB: is too large\n"));
  EXPECT_THAT(console.err, HasSubstr("trace id: 00112233445566778899aabbccddeeff"));
  EXPECT_EQ(console.run({"module", "push", path("a-v1.0.0.wasm"), "--output", "json"}), 1);
  const auto failure = json::parse(console.err);
  EXPECT_EQ(failure.at("status"), 400);
  EXPECT_EQ(failure.at("errors").as_array().size(), 2U);
  EXPECT_EQ(failure.at("exitCode"), 1);
}

TEST_F(ModulePush, SaysThatAVersionNeverChanges) {
  write_file("a-v1.0.0.wasm", kBinary);
  server.on("POST /api/v1/wasm/modules", {.status = 409, .body = R"({"title":"Conflict","detail":"other bytes"})"});
  EXPECT_EQ(console.run({"module", "push", path("a-v1.0.0.wasm")}), 1);
  EXPECT_THAT(console.err, HasSubstr("Conflict: other bytes"));
  EXPECT_THAT(console.err, HasSubstr("push it under a new version"));
}

TEST_F(ModulePush, NeedsAFileThatCanBeAModule) {
  EXPECT_EQ(console.run({"module", "push", path("none-v1.0.0.wasm")}), 1);
  EXPECT_THAT(console.err, HasSubstr("Cannot read"));
  write_file("empty-v1.0.0.wasm", "");
  EXPECT_EQ(console.run({"module", "push", path("empty-v1.0.0.wasm")}), 1);
  EXPECT_EQ(console.run({"module", "push", path("noversion.wasm")}), 2);
  EXPECT_THAT(console.err, HasSubstr("--name NAME --version"));
  EXPECT_THAT(server.requests(), IsEmpty());
}

// ---- ls, show, set, rm

using ModuleList = CommandTest;

TEST_F(ModuleList, PrintsATable) {
  server.on("GET /api/v1/wasm/modules",
            {.body = R"({"items":[)" + module_document("hello", "1.0.0") + R"(],"nextCursor":null})"});
  EXPECT_EQ(console.run({"module", "ls", "--status", "Active", "--search", "a b", "--sort", "sizeBytes", "--desc"}), 0);
  EXPECT_EQ(console.out,
            "NAME   VERSION  STATUS  KIND  SIZE  CALLS  AGE  DESCRIPTION\n"
            "hello  1.0.0    Active  Core   8 B      7   3m  Says hello\n");
  EXPECT_EQ(server.request("GET /api/v1/wasm/modules").target,
            "/api/v1/wasm/modules?status=Active&text=a%20b&sort=sizeBytes&order=desc&limit=50");
}

TEST_F(ModuleList, FollowsCursorsToTheEnd) {
  server.on("GET /api/v1/wasm/modules",
            {.body = R"({"items":[)" + module_document("a", "1.0.0") + R"(],"nextCursor":"x="})"});
  server.on("GET /api/v1/wasm/modules",
            {.body = R"({"items":[)" + module_document("b", "1.0.0") + R"(],"nextCursor":null})"});
  EXPECT_EQ(console.run({"module", "ls", "--all", "--quiet"}), 0);
  EXPECT_EQ(console.out, "a-v1.0.0\nb-v1.0.0\n");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[1].target, "/api/v1/wasm/modules?cursor=x%3D&limit=500");
}

TEST_F(ModuleList, PrintsTheServersDocumentUnchangedAsJson) {
  const std::string body = R"({"items": [ ],  "nextCursor":null, "later":1.50})";
  server.on("GET /api/v1/wasm/modules", {.body = body});
  EXPECT_EQ(console.run({"module", "ls", "--output", "json"}), 0);
  EXPECT_EQ(console.out, body + "\n");
  EXPECT_EQ(console.run({"module", "ls", "--output", "yaml"}), 0);
  EXPECT_EQ(console.out, "items: []\nnextCursor: ~\nlater: 1.5\n");
  EXPECT_EQ(console.run({"module", "ls"}), 0);
  EXPECT_THAT(console.out, HasSubstr("No modules."));
}

TEST_F(ModuleList, TellsAForeignServerFromAnEmptyOne) {
  server.on("GET /api/v1/wasm/modules", {.body = "<html>", .content_type = "text/html"});
  EXPECT_EQ(console.run({"module", "ls"}), 1);
  EXPECT_THAT(console.err, HasSubstr("not JSON"));
  server.on("GET /api/v1/wasm/modules", {.body = "{}"});
  EXPECT_EQ(console.run({"module", "ls"}), 1);
}

using ModuleShow = CommandTest;

TEST_F(ModuleShow, AcceptsNameAtVersion) {
  server.on("GET /api/v1/wasm/modules/hello-v1.0.0", {.body = module_document("hello", "1.0.0")});
  EXPECT_EQ(console.run({"module", "show", "hello@1.0.0"}), 0);
  EXPECT_THAT(console.out, HasSubstr("Module:       hello@1.0.0\n"));
  EXPECT_THAT(console.out, HasSubstr("commit=abc"));
  EXPECT_EQ(console.run({"module", "show", "hello-v1.0.0", "--output", "yaml"}), 0);
  EXPECT_THAT(console.out, HasSubstr("name: hello\n"));
}

TEST_F(ModuleShow, SaysHowToFindWhatIsThere) {
  EXPECT_EQ(console.run({"module", "show", "hello@9.9.9"}), 1);
  EXPECT_THAT(console.err, HasSubstr("error: Not Found"));
  EXPECT_THAT(console.err, HasSubstr("hotswap module ls --name hello\n"));
}

using ModuleSet = CommandTest;

TEST_F(ModuleSet, SendsOnlyWhatChanges) {
  server.on("PATCH /api/v1/wasm/modules/a-v1.0.0", {.body = module_document("a", "1.0.0")});
  EXPECT_EQ(console.run({"module", "set", "a@1.0.0", "--status", "Disabled", "--metadata", "k=v"}), 0) << console.err;
  EXPECT_EQ(json::parse(server.request("PATCH /api/v1/wasm/modules/a-v1.0.0").body),
            json::parse(R"({"status":"Disabled","metadata":{"k":"v"}})"));
  EXPECT_EQ(console.run({"module", "set", "a@1.0.0"}), 2);
}

using ModuleRemove = CommandTest;

TEST_F(ModuleRemove, AsksOnATerminal) {
  server.on("DELETE /api/v1/wasm/modules/a-v1.0.0", {.status = 204});
  console.terminal.in = true;
  console.input = "n\n";
  EXPECT_EQ(console.run({"module", "rm", "a@1.0.0"}), 1);
  EXPECT_THAT(console.err, HasSubstr("Remove a@1.0.0? [y/N]"));
  EXPECT_THAT(server.requests(), IsEmpty());
  console.input = "y\n";
  EXPECT_EQ(console.run({"module", "rm", "a@1.0.0"}), 0);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(ModuleRemove, NeedsAYesWithoutATerminal) {
  EXPECT_EQ(console.run({"module", "rm", "a@1.0.0"}), 2);
  EXPECT_THAT(console.err, HasSubstr("--yes"));
  server.on("DELETE /api/v1/wasm/modules/a-v1.0.0",
            {.status = 409, .body = R"({"title":"Conflict","detail":"route"})"});
  EXPECT_EQ(console.run({"module", "rm", "a@1.0.0", "--yes"}), 1);
  EXPECT_THAT(console.err, HasSubstr("deploy another version first"));
}

// ---- pull

using ModulePull = CommandTest;

TEST_F(ModulePull, VerifiesAndWritesTheFile) {
  server.on("GET /api/v1/wasm/modules/a-v1.0.0", {.body = module_document("a", "1.0.0")});
  server.on("GET /api/v1/wasm/modules/a-v1.0.0/binary", {.body = kBinary, .content_type = "application/wasm"});
  EXPECT_EQ(console.run({"module", "pull", "a@1.0.0", "-o", path("out.wasm")}), 0) << console.err;
  EXPECT_EQ(read_file("out.wasm"), kBinary);
  EXPECT_EQ(console.run({"module", "pull", "a@1.0.0", "-o", "-"}), 0);
  EXPECT_EQ(console.out, kBinary);
}

TEST_F(ModulePull, LeavesNothingBehindWhenTheBytesAreDamaged) {
  server.on("GET /api/v1/wasm/modules/a-v1.0.0", {.body = module_document("a", "1.0.0")});
  server.on("GET /api/v1/wasm/modules/a-v1.0.0/binary", {.body = "other", .content_type = "application/wasm"});
  write_file("keep/out.wasm", "before");
  EXPECT_EQ(console.run({"module", "pull", "a@1.0.0", "-o", path("keep/out.wasm")}), 1);
  EXPECT_THAT(console.err, HasSubstr("SHA-256"));
  EXPECT_EQ(read_file("keep/out.wasm"), "before");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path("keep")), {}), 1);
  EXPECT_EQ(console.run({"module", "pull", "a@1.0.0", "-o", "-"}), 1);
  EXPECT_THAT(console.out, IsEmpty());
}

TEST_F(ModulePull, ReportsAMissingBinaryAsTheServerDoes) {
  server.on("GET /api/v1/wasm/modules/a-v1.0.0", {.body = module_document("a", "1.0.0")});
  EXPECT_EQ(console.run({"module", "pull", "a@1.0.0", "-o", path("out.wasm")}), 1);
  EXPECT_THAT(console.err, HasSubstr("no such route"));
  EXPECT_FALSE(std::filesystem::exists(path("out.wasm")));
  EXPECT_EQ(console.run({"module", "pull", "a@1.0.0", "-o", path("no/such/folder/x")}), 1);
}

// ---- invoke

using Invoke = CommandTest;

TEST_F(Invoke, PrintsTheReturnValueDigitForDigit) {
  server.on("POST /api/v1/wasm/execute",
            {.body = R"({"success":true,"returnValue":1.50000000000000000001,"stdout":"hi","traceId":"t"})"});
  EXPECT_EQ(console.run({"invoke", "calc", "f", "-5", "[1,2]", "word", R"({"a":[1]})", "--region", "eu"}), 0)
      << console.err;
  EXPECT_EQ(console.out, "1.50000000000000000001\n");
  EXPECT_EQ(console.err, "hi\n");
  EXPECT_EQ(server.request("POST /api/v1/wasm/execute").body,
            R"({"module":"calc","function":"f","params":[-5,[1,2],"word",{"a":[1]}],"region":"eu"})");
  EXPECT_EQ(console.run({"invoke", "calc", "f", "--json-result"}), 0);
  EXPECT_THAT(console.out, StartsWith(R"({"success":true)"));
}

TEST_F(Invoke, AModuleMayBeCalledLikeACommand) {
  server.on("POST /api/v1/wasm/execute", {.body = R"({"success":true,"returnValue":null})"});
  EXPECT_EQ(console.run({"invoke", "module", "version", "deploy"}), 0) << console.err;
  EXPECT_EQ(console.out, "null\n");
  EXPECT_EQ(server.request("POST /api/v1/wasm/execute").body,
            R"({"module":"module","function":"version","params":["deploy"]})");
}

TEST_F(Invoke, AGuestsFailureHasItsOwnExitCode) {
  server.on(
      "POST /api/v1/wasm/execute",
      {.body = R"json({"success":false,"returnValue":null,"errorType":"Trap","errorMessage":"unreachable executed",
                         "backtrace":"div (a.wasm+0x5)\nmain (a.wasm+0x9)","traceId":"t1"})json"});
  EXPECT_EQ(console.run({"invoke", "calc", "div", "1", "0"}), 3);
  EXPECT_THAT(console.out, IsEmpty());
  EXPECT_THAT(console.err, HasSubstr("\n  at div (a.wasm+0x5)\n  at main (a.wasm+0x9)\n"));
  EXPECT_THAT(console.err, HasSubstr("The module failed (Trap): unreachable executed"));
  EXPECT_THAT(console.err, HasSubstr("trace id: t1"));
  EXPECT_EQ(console.run({"invoke", "calc", "div", "1", "0", "--output", "json"}), 3);
  EXPECT_EQ(json::parse(console.out).at("errorType"), "Trap");
  EXPECT_EQ(json::parse(console.err).at("exitCode"), 3);
}

TEST_F(Invoke, ArgumentsAfterDashesAreParameters) {
  server.on("POST /api/v1/wasm/execute", {.body = R"({"success":true,"returnValue":"ok"})"});
  EXPECT_EQ(console.run({"invoke", "calc", "f", "--", "--quiet", "[1, 2]"}), 0) << console.err;
  EXPECT_EQ(server.request("POST /api/v1/wasm/execute").body,
            R"({"module":"calc","function":"f","params":["--quiet",[1, 2]]})");
}

TEST_F(Invoke, SaysWhereToLookForWhatIsMissing) {
  EXPECT_EQ(console.run({"invoke", "calc@1.0.0", "f"}), 1);
  EXPECT_THAT(console.err, HasSubstr("hotswap module ls --name calc'"));
}

}  // namespace
}  // namespace hotswap::cli
