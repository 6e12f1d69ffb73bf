// Joining, the node protocol over HTTP, and what people do with nodes.
#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kNodes = "/api/v1/wasm/nodes";
constexpr const char* kTokens = "/api/v1/wasm/join-tokens";

class NodeProtocolTest : public testing::Test {
 protected:
  static std::string description(const std::string& id, const std::string& region = "local") {
    return json::serialize(json::object{{"nodeId", id},
                                        {"hostname", "127.0.0.1"},
                                        {"port", 9000},
                                        {"region", region},
                                        {"zone", "a"},
                                        {"runtimeVersion", "48.0.0"},
                                        {"incarnation", "first"}});
  }
  Reply as(const std::string& secret, const std::string& method, const std::string& target,
           const std::string& body = "", const std::string& range = "") {
    net::ClientRequest request;
    request.method = method;
    request.target = target;
    request.headers = {{"Authorization", "Bearer " + secret}};
    if (!range.empty()) request.headers.emplace_back("Range", range);
    request.body = body;
    return platform_.send(std::move(request));
  }
  std::string token(const std::string& request = "{}") {
    const Reply made = platform_.post(kTokens, request);
    EXPECT_EQ(made.status, 201U) << made.body;
    last_token_id_ = made.text("/tokenId");
    return made.text("/token");
  }
  std::string join(const std::string& id) {
    const Reply joined = as(token(), "POST", kNodes, description(id));
    EXPECT_EQ(joined.status, 201U) << joined.body;
    return joined.text("/credential");
  }
  static std::string of(const std::string& id, const std::string& rest) {
    return std::string(kNodes) + "/" + id + rest;
  }
  Reply report(const std::string& credential, const std::string& id, const json::object& more = {}) {
    json::object body{{"nodeId", id}, {"region", "local"}, {"incarnation", "first"}};
    for (const auto& [name, value] : more) body[name] = value;
    return as(credential, "POST", of(id, "/reports"), json::serialize(body));
  }

  Platform platform_;
  std::string last_token_id_;
};

TEST_F(NodeProtocolTest, AJoinTokenIsExchangedForACredentialOfTheNodesOwn) {
  const std::string credential = join("n1");
  EXPECT_EQ(report(credential, "n1").status, 200U);
  EXPECT_EQ(report("hsn_0", "n1").status, 401U);
  EXPECT_EQ(report("", "n1").status, 401U);
  EXPECT_EQ(report(join("n2"), "n1").status, 401U);
  const Reply shown = platform_.get(of("n1", ""));
  EXPECT_EQ(shown.text("/hostname"), "127.0.0.1");
  EXPECT_EQ(shown.text("/zone"), "a");
  EXPECT_EQ(shown.text("/maxModules"), "1000");
  EXPECT_EQ(shown.text("/condition"), "Healthy");
  EXPECT_THAT(shown.body, testing::Not(HasSubstr("credential")));
}

TEST_F(NodeProtocolTest, ARevokedTokenLetsNobodyJoin) {
  const std::string secret = token();
  EXPECT_EQ(platform_.send("DELETE", std::string(kTokens) + "/" + last_token_id_).status, 200U);
  EXPECT_EQ(as(secret, "POST", kNodes, description("n1")).status, 401U);
  const Reply listed = platform_.get(kTokens);
  EXPECT_THAT(listed.text("/items/0/revokedAt"), HasSubstr("Z"));
  EXPECT_THAT(listed.body, testing::Not(HasSubstr(secret)));
  EXPECT_EQ(platform_.send("DELETE", std::string(kTokens) + "/nobody").status, 404U);
}

TEST_F(NodeProtocolTest, AnExpiredTokenAndOneForAnotherRegionAreRefused) {
  const std::string expiring = token(R"({"expiresInSeconds":60})");
  const std::string elsewhere = token(R"({"region":"mars"})");
  EXPECT_EQ(as(elsewhere, "POST", kNodes, description("n1")).status, 403U);
  platform_.clock().advance(61s);
  EXPECT_EQ(as(expiring, "POST", kNodes, description("n1")).status, 401U);
  EXPECT_THAT(as(token(), "POST", kNodes, description("n1", "mars")).errors(),
              testing::ElementsAre(HasSubstr("region: there is no region mars")));
}

TEST_F(NodeProtocolTest, ARenewedCredentialEndsTheOneBeforeWithItsFirstUse) {
  const std::string first = join("n1");
  const std::string lost = as(first, "POST", of("n1", "/credential")).text("/credential");
  const std::string second = as(first, "POST", of("n1", "/credential")).text("/credential");
  EXPECT_EQ(report(lost, "n1").status, 401U);
  EXPECT_EQ(report(first, "n1").status, 200U);
  EXPECT_EQ(report(second, "n1").status, 200U);
  EXPECT_EQ(report(first, "n1").status, 401U);
  platform_.clock().advance(25h);
  EXPECT_EQ(report(second, "n1").status, 401U);
}

TEST_F(NodeProtocolTest, CredentialsAndDecisionsSurviveTheControlPlane) {
  const std::string credential = join("n1");
  EXPECT_EQ(platform_.post(of("n1", "/drain")).text("/draining"), "true");
  platform_.stop();
  platform_.start();
  EXPECT_EQ(platform_.get(of("n1", "")).text("/condition"), "Unknown");
  EXPECT_EQ(report(credential, "n1").status, 200U);
  EXPECT_EQ(platform_.get(of("n1", "")).text("/condition"), "Healthy");
  EXPECT_EQ(platform_.get(of("n1", "")).text("/draining"), "true");
  EXPECT_EQ(platform_.post(of("n1", "/enable")).text("/draining"), "false");
}

TEST_F(NodeProtocolTest, ANodePullsItsDesiredStateFirstWholeAndThenWhatChanged) {
  const std::string credential = join("n1");
  const TestNode other(platform_, "n2");
  platform_.wait_finished([&] {
    const std::string id = platform_.create("greeter", "1.0.0");
    platform_.verb(id, "execute");
    return id;
  }());
  const Reply whole = as(credential, "GET", of("n1", "/desired-state?after=0&incarnation=first"));
  EXPECT_EQ(whole.text("/from"), "null");
  EXPECT_EQ(whole.text("/putRoutes/0/name"), "greeter");
  const std::string revision = whole.text("/revision");
  EXPECT_EQ(report(credential, "n1", {{"routedRevision", std::stoll(revision)}}).status, 200U);
  const std::string id = platform_.create("second", "1.0.0");
  platform_.verb(id, "execute");
  const Reply change = as(credential, "GET", of("n1", "/desired-state?after=" + revision + "&incarnation=first"));
  EXPECT_EQ(change.text("/from"), revision);
  EXPECT_THAT(change.json().at("putVersions").as_array(), SizeIs(1));
  EXPECT_EQ(change.text("/putVersions/0/name"), "second");
  EXPECT_EQ(as(credential, "GET", of("n1", "/desired-state?after=x")).status, 400U);
}

TEST_F(NodeProtocolTest, AnArtifactIsForNodesThatHoldItAndMayBeResumed) {
  const std::string credential = join("n1");
  const std::string bytes = tiny_module("greeter1.0.0");
  const std::string path = of("n1", "/artifacts/" + Sha256::of(bytes).hex());
  const TestNode other(platform_, "n2");
  const std::string id = platform_.create("greeter", "1.0.0");
  EXPECT_EQ(as(credential, "GET", path).status, 404U);
  platform_.verb(id, "execute");
  platform_.wait_finished(id);
  EXPECT_EQ(as(credential, "GET", path).body, bytes);
  const Reply rest = as(credential, "GET", path, "", "bytes=10-");
  EXPECT_EQ(rest.status, 206U);
  EXPECT_EQ(rest.body, bytes.substr(10));
  EXPECT_THAT(rest.header("content-range"), HasSubstr("bytes 10-"));
  EXPECT_EQ(as(credential, "GET", path, "", "bytes=100000-").status, 200U);
  EXPECT_EQ(as("hsn_0", "GET", path).status, 401U);
}

TEST_F(NodeProtocolTest, ReportsSetTheirOwnPaceAndFasterInARollout) {
  const std::string credential = join("n1");
  EXPECT_EQ(report(credential, "n1").text("/nextReportMs"), "5000");
  const std::string id = platform_.create("greeter", "1.0.0");
  EXPECT_EQ(platform_.verb(id, "execute").status, 202U);
  EXPECT_EQ(report(credential, "n1").text("/nextReportMs"), "1000");
}

TEST_F(NodeProtocolTest, ShowsTheFiguresThatTheNodeReported) {
  const std::string credential = join("n1");
  report(credential, "n1",
         {{"health", {{"cpuUsagePercent", 12.5}, {"memoryUsageMB", 77}}}, {"metrics", {{"totalInvocations", 9}}}});
  EXPECT_EQ(platform_.get(of("n1", "/health")).text("/memoryUsageMB"), "77");
  EXPECT_EQ(platform_.get(of("n1", "/health")).text("/isHealthy"), "true");
  EXPECT_EQ(platform_.get(of("n1", "")).text("/metrics/totalInvocations"), "9");
  EXPECT_EQ(platform_.get(of("nobody", "/health")).status, 404U);
}

TEST_F(NodeProtocolTest, ADisabledOrDrainingNodeTakesNoDeployment) {
  const std::string credential = join("n1");
  report(credential, "n1");
  const std::string id = platform_.create("greeter", "1.0.0");
  EXPECT_EQ(platform_.post(of("n1", "/disable")).text("/isEnabled"), "false");
  EXPECT_EQ(platform_.verb(id, "execute").status, 503U);
  platform_.post(of("n1", "/enable"));
  platform_.post(of("n1", "/drain"));
  EXPECT_EQ(platform_.verb(id, "execute").status, 503U);
  platform_.post(of("n1", "/enable"));
  EXPECT_EQ(platform_.verb(id, "execute").status, 202U);
}

TEST_F(NodeProtocolTest, PinsOneVersionOfANameToANode) {
  join("n1");
  for (const char* version : {"1.0.0", "2.0.0"}) platform_.upload("greeter", version);
  platform_.post(of("n1", "/pins"), R"({"moduleId":"greeter-v1.0.0"})");
  const Reply pinned = platform_.post(of("n1", "/pins"), R"({"moduleId":"greeter-v2.0.0"})");
  EXPECT_EQ(pinned.text("/pinnedModules"), R"(["greeter-v2.0.0"])");
  EXPECT_EQ(platform_.post(of("n1", "/pins"), R"({"moduleId":"nobody-v1.0.0"})").status, 404U);
  EXPECT_EQ(platform_.send("DELETE", of("n1", "/pins/greeter-v2.0.0")).text("/pinnedModules"), "[]");
}

TEST_F(NodeProtocolTest, ARemovedNodeIsGoneWithItsCredential) {
  const std::string credential = join("n1");
  report(credential, "n1");
  EXPECT_EQ(platform_.send("DELETE", of("n1", "")).status, 204U);
  EXPECT_EQ(platform_.get(of("n1", "")).status, 404U);
  EXPECT_EQ(report(credential, "n1").status, 401U);
  EXPECT_EQ(platform_.send("DELETE", of("n1", "")).status, 404U);
}

}  // namespace
}  // namespace hotswap::control
