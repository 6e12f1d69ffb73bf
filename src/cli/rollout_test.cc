// Deployments, from creation to the end, against a server that answers what it is told.
#include "cli/rollout_watch.h"
#include "cli/test_console.h"

namespace hotswap::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kId = "3f2a91c4-0000-4000-8000-000000000001";
const std::string kOther = "3f2a0000-0000-4000-8000-000000000002";
const std::string kPath = "/api/v1/wasm/deployments/" + kId;

std::string deployment(const std::string& status, const std::string& id = kId) {
  return R"({"deploymentId":")" + id +
         R"(","moduleId":"hello-v1.0.1","moduleName":"hello","targetRegions":["all"],"targetNodes":null,)" +
         R"("strategy":"AllAtOnce","strategyConfig":{},"status":")" + status +
         R"(","progressPercent":50,"succeededNodes":["n1"],"failedNodes":[],)" +
         R"("http":{"host":null,"pathPrefix":"/m/hello/"},"createdAt":"2026-11-21T11:59:00.000Z","createdBy":"admin",)" +
         R"("startedAt":"2026-11-21T11:59:01.000Z","completedAt":"2026-11-21T11:59:03.500Z",)" +
         R"("previousModuleId":"hello-v1.0.0","errorMessage":)" +
         (status == "Failed" ? R"("node n1: it traps")" : "null") + "}";
}

std::string event(int sequence, const std::string& type, const std::string& status, int percent) {
  return R"({"sequence":)" + std::to_string(sequence) + R"(,"deploymentId":")" + kId + R"(","type":")" + type +
         R"(","at":"2026-11-21T11:59:0)" + std::to_string(sequence % 10) +
         R"(.000Z","by":"system","traceId":"","status":")" + status + R"(","progressPercent":)" +
         std::to_string(percent) + R"(,"detail":{"step":)" + std::to_string(sequence) + "}}";
}

Reply stream(const std::vector<std::string>& events) {
  std::string body = ": hello\n\n";
  for (const auto& text : events) body += "id: 1\nevent: x\ndata: " + text + "\n\n";
  return {.body = body, .content_type = "text/event-stream"};
}

Reply list(const std::vector<std::string>& items) {
  std::string body = R"({"items":[)";
  for (std::size_t i = 0; i < items.size(); ++i) body += (i == 0 ? "" : ",") + items[i];
  return {.body = body + R"(],"nextCursor":null})"};
}

class Rollout : public CommandTest {
 protected:
  void serve_module(const std::string& handler = "null") {
    server.on(
        "GET /api/v1/wasm/modules/hello-v1.0.1",
        {.body = R"({"moduleId":"hello-v1.0.1","name":"hello","version":"1.0.1","httpHandler":)" + handler + "}"});
  }
  // A deployment that is accepted, runs, and ends in `status`.
  void serve_run(const std::string& type, const std::string& status) {
    serve_module(R"("0.2")");
    server.on("POST /api/v1/wasm/deployments", {.status = 201, .body = deployment("Pending")});
    server.on("POST " + kPath + "/execute", {.status = 202, .body = deployment("InProgress")});
    server.on("GET " + kPath, {.body = deployment("InProgress")});
    server.on("GET " + kPath, {.body = deployment(status)});
    server.on("GET " + kPath + "/events",
              stream({event(1, "DeploymentStarted", "InProgress", 0), event(2, "StepCompleted", "InProgress", 50),
                      event(3, type, status, 100)}));
    server.on("GET " + kPath + "/events",
              list({event(1, "DeploymentStarted", "InProgress", 0), event(2, "StepCompleted", "InProgress", 50),
                    event(3, type, status, 100)}));
  }
};

TEST_F(Rollout, DeployReturnsOnceItIsAccepted) {
  serve_module(R"("0.2")");
  server.on("POST /api/v1/wasm/deployments", {.status = 201, .body = deployment("Pending")});
  server.on("POST " + kPath + "/execute", {.status = 202, .body = deployment("InProgress")});
  EXPECT_EQ(console.run({"deploy", "hello@1.0.1"}), 0) << console.err;
  EXPECT_EQ(json::parse(server.request("POST /api/v1/wasm/deployments").body),
            json::parse(R"({"moduleId":"hello-v1.0.1","targetRegions":["all"]})"));
  EXPECT_THAT(console.out, HasSubstr("Answers on the gateway at /m/hello/"));
  EXPECT_THAT(console.out, HasSubstr("hotswap rollout watch " + kId));
}

TEST_F(Rollout, DeployWarnsOfWhatIsDeprecated) {
  serve_module();
  auto created = json::parse(deployment("Pending")).as_object();
  created["warnings"] = json::array{json::object{{"rule", "deprecated-interface"},
                                                 {"subject", "acme:shop/api@1.0.0"},
                                                 {"message", "acme:shop@1.0.0 is deprecated: too small; see https://a"},
                                                 {"migrationGuide", "https://a"}}};
  server.on("POST /api/v1/wasm/deployments", {.status = 201, .body = json::serialize(created)});
  server.on("POST " + kPath + "/execute", {.status = 202, .body = deployment("InProgress")});
  EXPECT_EQ(console.run({"deploy", "hello@1.0.1"}), 0);
  EXPECT_THAT(console.err,
              HasSubstr("warning: acme:shop/api@1.0.0: acme:shop@1.0.0 is deprecated: too small; see https://a\n"));
  EXPECT_EQ(console.run({"deploy", "hello@1.0.1", "--output", "json"}), 0);
  EXPECT_EQ(console.err, "");
}

TEST_F(Rollout, ApprovesExactlyTheBreaksThatItShows) {
  auto pending = json::parse(deployment("Pending")).as_object();
  const json::array breaks{json::object{
      {"path", "add"}, {"was", "func()"}, {"is", ""}, {"inPlace", "hello-v1.0.0"}, {"regions", json::array{"eu"}}}};
  pending["breaksCallers"] = breaks;
  server.on("GET " + kPath, {.body = json::serialize(pending)});
  server.on("POST " + kPath + "/approve", {.body = json::serialize(pending)});
  EXPECT_EQ(console.run({"rollout", "approve", kId}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("add: was func(), is gone (hello-v1.0.0 in eu)"));
  EXPECT_EQ(json::parse(server.request("POST " + kPath + "/approve").body),
            json::value(json::object{{"breaksCallers", breaks}}));
}

TEST_F(Rollout, DeployCanStopShortOfExecuting) {
  serve_module();
  server.on("POST /api/v1/wasm/deployments", {.status = 201, .body = deployment("Pending")});
  EXPECT_EQ(console.run({"deploy", "hello@1.0.1", "--no-execute"}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("hotswap rollout execute " + kId));
  EXPECT_THAT(console.out, Not(HasSubstr("gateway")));
  EXPECT_EQ(server.requests().size(), 2U);
  EXPECT_EQ(console.run({"deploy", "hello@1.0.1", "--no-execute", "--quiet"}), 0);
  EXPECT_EQ(console.out, kId + "\n");
}

TEST_F(Rollout, DeployOfWhatIsNotRegisteredCreatesNothing) {
  EXPECT_EQ(console.run({"deploy", "nobody@1.0.0"}), 1);
  EXPECT_THAT(console.err, HasSubstr("hotswap module ls --name nobody"));
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(Rollout, WatchPrintsEachEventOnceAndTheEnd) {
  serve_run("DeploymentCompleted", "Completed");
  EXPECT_EQ(console.run({"deploy", "hello@1.0.1", "--watch"}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("11:59:02.000   50%  StepCompleted         step=2\n"));
  EXPECT_THAT(console.out, HasSubstr("Completed: hello-v1.0.1 in 2.5s\n"));
  EXPECT_EQ(console.out.find("step=2"), console.out.rfind("step=2"));
}

TEST_F(Rollout, WatchAsJsonIsOneDocumentALineAndTheDeploymentLast) {
  serve_run("DeploymentCompleted", "Completed");
  EXPECT_EQ(console.run({"deploy", "hello@1.0.1", "--watch", "--output", "json"}), 0);
  std::istringstream lines(console.out);
  std::vector<json::value> documents;
  for (std::string line; std::getline(lines, line);) documents.push_back(json::parse(line));
  ASSERT_EQ(documents.size(), 4U);
  EXPECT_EQ(documents[0].at("type"), "DeploymentStarted");
  EXPECT_EQ(documents[3].at("status"), "Completed");
}

TEST_F(Rollout, WatchDrawsABarOnATerminal) {
  console.terminal.err = true;
  serve_run("DeploymentCompleted", "Completed");
  EXPECT_EQ(console.run({"deploy", "hello@1.0.1", "--watch"}), 0);
  EXPECT_THAT(console.err, HasSubstr("[############------------]  50%  StepCompleted\n"));
  EXPECT_THAT(console.out, Not(HasSubstr("StepCompleted")));
}

TEST_F(Rollout, WatchOfAFailureHasItsOwnExitCode) {
  serve_run("DeploymentFailed", "Failed");
  EXPECT_EQ(console.run({"deploy", "hello@1.0.1", "--watch"}), 5);
  EXPECT_THAT(console.err, HasSubstr("The rollout of hello-v1.0.1 ended as Failed: node n1: it traps"));
  EXPECT_THAT(console.err, HasSubstr("hotswap rollout events " + kId));
}

TEST_F(Rollout, WatchTakesABrokenStreamUpAgainWhereItEnded) {
  server.on("GET " + kPath, {.body = deployment("InProgress")});
  server.on("GET " + kPath, {.body = deployment("InProgress")});
  server.on("GET " + kPath, {.body = deployment("Completed")});
  server.on("GET " + kPath + "/events", stream({event(1, "DeploymentStarted", "InProgress", 0)}));
  server.on("GET " + kPath + "/events", stream({event(2, "DeploymentCompleted", "Completed", 100)}));
  server.on("GET " + kPath + "/events", list({event(2, "DeploymentCompleted", "Completed", 100)}));
  EXPECT_EQ(console.run({"rollout", "watch", kId}), 0) << console.err;
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 6U);
  EXPECT_FALSE(requests[1].headers.contains("last-event-id"));
  EXPECT_EQ(requests[3].headers.at("last-event-id"), "1");
  EXPECT_EQ(requests[3].headers.at("accept"), "text/event-stream");
}

TEST_F(Rollout, RollbackIsWatchedFromNowOn) {
  server.on("GET " + kPath + "/events", list({event(3, "DeploymentCompleted", "Completed", 100)}));
  server.on("GET " + kPath + "/events", list({event(3, "DeploymentCompleted", "Completed", 100),
                                              event(4, "DeploymentRolledBack", "RolledBack", 100)}));
  server.on("POST " + kPath + "/rollback", {.body = deployment("RolledBack")});
  server.on("GET " + kPath, {.body = deployment("RolledBack")});
  EXPECT_EQ(console.run({"rollout", "rollback", kId, "--watch"}), 0) << console.err;
  EXPECT_THAT(console.out, Not(HasSubstr("DeploymentCompleted")));
  EXPECT_THAT(console.out, HasSubstr("DeploymentRolledBack"));
  EXPECT_THAT(console.out, HasSubstr("RolledBack: hello-v1.0.1; hello-v1.0.0 serves again\n"));
}

TEST_F(Rollout, WatchOfWhatWasRolledBackFails) {
  server.on("GET " + kPath, {.body = deployment("RolledBack")});
  server.on("GET " + kPath + "/events", list({}));
  EXPECT_EQ(console.run({"rollout", "watch", kId}), 5);
}

TEST_F(Rollout, IdsMayBeShortened) {
  server.on("GET /api/v1/wasm/deployments", list({deployment("Completed"), deployment("Failed", kOther)}));
  server.on("GET " + kPath, {.body = deployment("Completed")});
  EXPECT_EQ(console.run({"rollout", "show", "3f2a9"}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr(kId));
  EXPECT_EQ(console.run({"rollout", "show", "3f2a"}), 2) << "begins two ids";
  EXPECT_THAT(console.err, HasSubstr(kOther));
  EXPECT_EQ(console.run({"rollout", "show", "3f2"}), 2) << "too short";
  EXPECT_EQ(console.run({"rollout", "show", "ffff"}), 1);
  EXPECT_THAT(console.err, HasSubstr("hotswap rollout ls"));
}

TEST_F(Rollout, ListIsATable) {
  server.on("GET /api/v1/wasm/deployments", list({deployment("InProgress")}));
  EXPECT_EQ(console.run({"rollout", "ls", "--module", "hello", "--status", "InProgress"}), 0);
  EXPECT_EQ(console.out,
            "ID        MODULE        STRATEGY   STATUS      PROGRESS  TARGETS  AGE\n"
            "3f2a91c4  hello-v1.0.1  AllAtOnce  InProgress       50%  all      60s\n");
  EXPECT_EQ(server.request("GET /api/v1/wasm/deployments").target,
            "/api/v1/wasm/deployments?status=InProgress&module=hello&limit=50");
}

TEST_F(Rollout, ApprovesWhatItShowsAndExecutes) {
  server.on("GET " + kPath, {.body = deployment("Pending")});
  server.on("POST " + kPath + "/approve", {.body = deployment("Pending")});
  EXPECT_EQ(console.run({"rollout", "approve", kId}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("hotswap rollout execute " + kId));
  server.on("POST " + kPath + "/execute", {.status = 409, .body = R"({"title":"Conflict","detail":"needs approval"})"});
  EXPECT_EQ(console.run({"rollout", "execute", kId}), 1);
  EXPECT_THAT(console.err, HasSubstr("hotswap rollout approve " + kId));
}

TEST(EventLine, ShowsWhoseTrafficWentWhere) {
  EXPECT_EQ(event_line(json::parse(R"({"at":"2026-11-21T08:03:42.123Z","type":"RoutesChanged","progressPercent":50,
      "detail":{"routes":[{"region":"eu","versions":[{"moduleId":"a-v1.0.0","weight":90},
      {"moduleId":"a-v1.0.1","weight":10}]}],"droppedRegions":[]}})")),
            "08:03:42.123   50%  RoutesChanged         eu:a-v1.0.0=90%+a-v1.0.1=10%");
}

TEST_F(Rollout, EventsArePrintedAsLines) {
  server.on("GET " + kPath + "/events", list({event(1, "DeploymentCreated", "Pending", 0)}));
  EXPECT_EQ(console.run({"rollout", "events", kId}), 0);
  EXPECT_EQ(console.out, "11:59:01.000    0%  DeploymentCreated     step=1\n");
}

TEST_F(Rollout, VerbsAskForWhatTheySay) {
  for (const std::string verb : {"pause", "resume", "retry", "cancel"}) {
    server.on("POST " + kPath + "/" + verb, {.body = deployment("Paused")});
    EXPECT_EQ(console.run({"rollout", verb, kId}), 0) << console.err;
    EXPECT_THAT(console.out, HasSubstr("Paused"));
  }
  server.on("POST " + kPath + "/abort", {.body = deployment("RolledBack")});
  EXPECT_EQ(console.run({"rollout", "abort", kId, "--gradually"}), 0) << console.err;
  EXPECT_EQ(server.request("POST " + kPath + "/abort").body, R"({"gradual":true})");
  server.on("POST " + kPath + "/promote-full", {.body = deployment("InProgress")});
  EXPECT_EQ(console.run({"rollout", "promote", kId, "--full"}), 0) << console.err;
}

TEST_F(Rollout, PromotesTheStepThatItSaw) {
  server.on("GET " + kPath, {.body = R"({"deploymentId":")" + kId + R"(","step":4})"});
  server.on("POST " + kPath + "/promote", {.body = deployment("InProgress")});
  EXPECT_EQ(console.run({"rollout", "promote", kId}), 0) << console.err;
  EXPECT_EQ(server.request("POST " + kPath + "/promote").body, R"({"step":4})");
}

TEST_F(Rollout, RollsBackToTheVersionThatIsNamed) {
  server.on("GET " + kPath + "/events", list({}));
  server.on("POST " + kPath + "/rollback", {.body = deployment("RolledBack")});
  EXPECT_EQ(console.run({"rollout", "rollback", kId, "--to", "hello@0.9.0"}), 0) << console.err;
  EXPECT_EQ(server.request("POST " + kPath + "/rollback").body, R"({"toModuleId":"hello-v0.9.0"})");
}

TEST_F(Rollout, ShowPrintsWhatTheShadowFoundWithItsExamples) {
  auto shown = json::parse(deployment("RolledBack")).as_object();
  shown["shadow"] = json::parse(
      R"({"compared":120,"mismatched":3,"dropped":1,"liveP50Ms":0.5,"liveP99Ms":2,"shadowP50Ms":1,"shadowP99Ms":4,)"
      R"("examples":[{"nodeId":"n1","request":"add","differs":"returnValue at /sum","live":"5","shadow":"6",)"
      R"("liveMs":0.5,"shadowMs":1,"traceId":"0123"}]})");
  server.on("GET " + kPath, {.body = json::serialize(shown)});
  EXPECT_EQ(console.run({"rollout", "show", kId}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("120 compared, 3 mismatched, 1 dropped; p50 1.0ms against 500µs"));
  EXPECT_THAT(console.out, HasSubstr("add (returnValue at /sum): 5 became 6  on n1, trace 0123"));
}

TEST(EventLines, ShowStagesWeightsAndAnalysis) {
  const auto line = [](std::string_view detail) {
    return event_line(
        {{"at", "2026-11-21T11:59:02.000Z"}, {"progressPercent", 50}, {"type", "X"}, {"detail", json::parse(detail)}});
  };
  EXPECT_THAT(line(R"({"routes":[{"region":"eu","versions":[{"moduleId":"b","weight":25},{"moduleId":"a","weight":75}],
                       "onNodes":[]}]})"),
              HasSubstr("eu:b=25%+a=75%"));
  EXPECT_THAT(line(R"({"routes":[{"region":"eu","versions":[{"moduleId":"a","weight":100}],
                       "onNodes":[{"nodes":["n1","n2"],"versions":[{"moduleId":"b","weight":100}]}]}]})"),
              HasSubstr("eu:a=100%(on n1,n2 b=100%)"));
  EXPECT_THAT(
      line(R"({"outcome":"failure","metrics":[{"metric":"errorRate","outcome":"failure","reason":"too many"}]})"),
      HasSubstr("outcome=failure errorRate failure (too many)"));
}

TEST_F(Rollout, ATerminalShowsStageWeightsNodesAndAnalysis) {
  console.terminal.err = true;
  const auto say = [](int sequence, const std::string& type, const std::string& status, const std::string& detail) {
    return R"({"sequence":)" + std::to_string(sequence) + R"(,"type":")" + type +
           R"(","at":"2026-11-21T11:59:00.000Z","status":")" + status + R"(","progressPercent":40,"detail":)" + detail +
           "}";
  };
  const std::vector<std::string> events{
      say(1, "StepStarted", "InProgress", R"({"step":1,"stage":"canary 25%","nodes":["n1","n2"]})"),
      say(2, "RoutesChanged", "InProgress",
          R"({"routes":[{"region":"eu","versions":[{"moduleId":"hello-v1.0.1","weight":25},{"moduleId":"a","weight":75}]}]})"),
      say(3, "AnalysisMeasured", "InProgress",
          R"({"metrics":[{"metric":"errorRate","outcome":"success","reason":"fine"}]})"),
      say(4, "DeploymentCompleted", "Completed", "{}")};
  server.on("GET " + kPath, {.body = deployment("InProgress")});
  server.on("GET " + kPath, {.body = deployment("Completed")});
  server.on("GET " + kPath + "/events", stream(events));
  server.on("GET " + kPath + "/events", list(events));
  EXPECT_EQ(console.run({"rollout", "watch", kId}), 0) << console.err;
  EXPECT_THAT(console.err, HasSubstr("InProgress  hello-v1.0.1 instead of hello-v1.0.0  AllAtOnce\n"));
  EXPECT_THAT(console.err, HasSubstr("progress    [#########---------------]  40%  canary 25%\n"));
  EXPECT_THAT(console.err, HasSubstr("eu          [######------------------] hello-v1.0.1 25%  a 75%\n"));
  EXPECT_THAT(console.err, HasSubstr("nodes       n1, n2\nanalysis    errorRate success: fine\n\x1b[5A\r\x1b[J"));
}

}  // namespace
}  // namespace hotswap::cli
