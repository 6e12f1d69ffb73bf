#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

Options with_roles() {
  Options options;
  // "Bearer Developer" is the user dev-Developer in that role.
  options.identify = [](net::Exchange& exchange) -> Result<Principal> {
    const std::string_view given = exchange.header(net::http::field::authorization);
    const auto role = given.starts_with("Bearer ") ? enum_from_name<Role>(given.substr(7)) : std::nullopt;
    if (!role) return fail(ErrorKind::kUnauthorized, "no token");
    return Principal{.user = "the-" + std::string(enum_name(*role)), .tenant = TenantId("default"), .role = *role};
  };
  return options;
}

Reply as(Platform& platform, std::string_view role, std::string method, std::string target, std::string body = "",
         std::string type = "application/json") {
  net::ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers = {{"Authorization", "Bearer " + std::string(role)}};
  if (!body.empty()) request.headers.emplace_back("Content-Type", std::move(type));
  request.body = std::move(body);
  return platform.send(std::move(request));
}

TEST(Access, FollowsTheRolesOfEachEndpoint) {
  Platform platform(with_roles());
  struct Case {
    std::string method, target;
    std::vector<std::string> allowed;
  };
  const std::vector<std::string> all{"Viewer", "Operator", "Developer", "Admin"};
  const std::vector<Case> cases{
      {"GET", "/api/v1/wasm/modules", all},
      {"POST", "/api/v1/wasm/modules", {"Developer", "Admin"}},
      {"PATCH", "/api/v1/wasm/modules/x-v1.0.0", {"Developer", "Admin"}},
      {"DELETE", "/api/v1/wasm/modules/x-v1.0.0", {"Admin"}},
      {"POST", "/api/v1/wasm/deployments", {"Developer", "Admin"}},
      {"GET", "/api/v1/wasm/deployments", all},
      {"POST", "/api/v1/wasm/deployments/x/execute", {"Developer", "Admin"}},
      {"POST", "/api/v1/wasm/deployments/x/approve", {"Admin"}},
      {"POST", "/api/v1/wasm/deployments/x/pause", {"Operator", "Developer", "Admin"}},
      {"POST", "/api/v1/wasm/deployments/x/resume", {"Operator", "Developer", "Admin"}},
      {"POST", "/api/v1/wasm/deployments/x/abort", {"Operator", "Developer", "Admin"}},
      {"POST", "/api/v1/wasm/deployments/x/cancel", {"Operator", "Developer", "Admin"}},
      {"POST", "/api/v1/wasm/deployments/x/promote", {"Developer", "Admin"}},
      {"POST", "/api/v1/wasm/deployments/x/promote-full", {"Developer", "Admin"}},
      {"POST", "/api/v1/wasm/deployments/x/retry", {"Developer", "Admin"}},
      {"POST", "/api/v1/wasm/deployments/x/rollback", {"Operator", "Admin"}},
      {"GET", "/api/v1/wasm/interfaces", all},
      {"POST", "/api/v1/wasm/interfaces", {"Developer", "Admin"}},
      {"POST", "/api/v1/wasm/interfaces/x/submit", {"Developer", "Admin"}},
      {"POST", "/api/v1/wasm/interfaces/x/approve", {"Admin"}},
      {"POST", "/api/v1/wasm/interfaces/x/reject", {"Admin"}},
      {"POST", "/api/v1/wasm/interfaces/x/deprecate", {"Admin"}},
      {"POST", "/api/v1/wasm/interfaces/x/validate", all},
      {"POST", "/api/v1/wasm/interfaces/check", all},
      {"GET", "/api/v1/wasm/nodes", all},
      {"GET", "/api/v1/wasm/routes", all},
  };
  for (const auto& c : cases) {
    for (const auto& role : all) {
      const bool allowed = std::ranges::find(c.allowed, role) != c.allowed.end();
      EXPECT_EQ(as(platform, role, c.method, c.target).status == 403, !allowed) << role << " " << c.method << c.target;
    }
    EXPECT_EQ(platform.send(c.method, c.target).status, 401U);
  }
  for (const char* open : {"/health/live", "/health/ready", "/metrics"}) EXPECT_EQ(platform.get(open).status, 200U);
}

TEST(Production, NeedsAnAdminsApprovalWhoIsNotTheCreator) {
  Options options = with_roles();
  options.single_user = false;
  options.regions = {{Region("local"), Environment::production}};
  Platform platform(options);
  TestNode node(platform, "node-1");
  ASSERT_EQ(as(platform, "Developer", "POST", "/api/v1/wasm/modules?name=greeter&version=1.0.0", tiny_module(),
               "application/wasm")
                .status,
            201U);
  const std::string body = R"({"moduleId":"greeter-v1.0.0","targetRegions":["local"]})";
  const std::string id = as(platform, "Developer", "POST", "/api/v1/wasm/deployments", body).text("/deploymentId");
  const std::string target = "/api/v1/wasm/deployments/" + id;
  ASSERT_TRUE(node.wait([](const DesiredState& state) { return state.revision > 0; }));

  EXPECT_EQ(as(platform, "Developer", "POST", target + "/execute").status, 403U);
  const Reply early = as(platform, "Admin", "POST", target + "/execute");
  EXPECT_EQ(early.status, 409U);
  EXPECT_THAT(early.body, HasSubstr(target + "/approve"));
  const Reply approved = as(platform, "Admin", "POST", target + "/approve");
  EXPECT_EQ(approved.status, 200U) << approved.body;
  EXPECT_EQ(approved.text("/approvedBy"), "the-Admin");
  EXPECT_EQ(as(platform, "Admin", "POST", target + "/approve").body, approved.body);
  EXPECT_EQ(as(platform, "Admin", "POST", target + "/execute").status, 202U);
  EXPECT_TRUE(eventually([&] { return as(platform, "Viewer", "GET", target).text("/status") != "InProgress"; }));
  EXPECT_EQ(as(platform, "Viewer", "GET", target).text("/status"), "Completed");

  as(platform, "Admin", "POST", "/api/v1/wasm/modules?name=greeter&version=2.0.0", tiny_module(), "application/wasm");
  const std::string own = as(platform, "Admin", "POST", "/api/v1/wasm/deployments",
                             R"({"moduleId":"greeter-v2.0.0","targetRegions":["local"]})")
                              .text("/deploymentId");
  EXPECT_EQ(as(platform, "Admin", "POST", "/api/v1/wasm/deployments/" + own + "/approve").status, 403U);
  EXPECT_EQ(as(platform, "Operator", "POST", "/api/v1/wasm/deployments/" + own + "/rollback").status, 200U);
  EXPECT_EQ(as(platform, "Admin", "POST", "/api/v1/wasm/deployments/" + own + "/approve").status, 409U);
}

TEST(Production, OfASingleUserIsApprovedByThatUser) {
  Options options;
  options.regions = {{Region("local"), Environment::production}};
  Platform platform(options);
  TestNode node(platform, "node-1");
  const std::string id = platform.create("greeter", "1.0.0");
  EXPECT_EQ(platform.verb(id, "execute").status, 409U);
  EXPECT_EQ(platform.verb(id, "approve").status, 200U);
  EXPECT_EQ(platform.events(id).back().type, EventType::DeploymentApproved);
  EXPECT_EQ(platform.verb(id, "execute").status, 202U);
  EXPECT_EQ(platform.wait_finished(id).status, DeploymentStatus::Completed);
}

TEST(Showing, NodesAsTheyReport) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string id = platform.create("greeter", "1.0.0");
  platform.verb(id, "execute");
  platform.wait_finished(id);
  const Reply reply = platform.get("/api/v1/wasm/nodes");
  EXPECT_EQ(reply.text("/items/0/nodeId"), "node-1");
  EXPECT_EQ(reply.text("/items/0/region"), "local");
  EXPECT_EQ(reply.text("/items/0/versionsReady"), "1");
  EXPECT_EQ(reply.text("/items/0/condition"), "Healthy");
  EXPECT_EQ(reply.text("/items/0/deployedModules/0"), "greeter-v1.0.0");
  EXPECT_THAT(reply.text("/items/0/lastHeartbeat"), HasSubstr("Z"));
  const std::string metrics = platform.get("/metrics").body;
  for (const char* line : {"wasm_edge_nodes_count 1", "wasm_edge_nodes_healthy 1", "wasm_modules_count 1",
                           "wasm_deployments_executed_total 1", "wasm_modules_deployed_per_node{node=\"node-1\"} 1"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
  node.disconnect();
  platform.clock().advance(20s);
  EXPECT_EQ(platform.get("/api/v1/wasm/nodes").text("/items/0/condition"), "Suspect");
  platform.clock().advance(20s);
  EXPECT_EQ(platform.get("/api/v1/wasm/nodes/node-1/health").text("/isHealthy"), "false");
  EXPECT_THAT(platform.get("/metrics").body, HasSubstr("wasm_edge_nodes_healthy 0"));
}

TEST(Reporting, IsRefusedFromARegionThatIsNotConfigured) {
  Options options;
  options.regions = {{Region("east"), {}}, {Region("west"), {}}};
  Platform platform(options);
  const auto wrong = run(platform.app().report({.nodeId = NodeId("n"), .region = Region("mars"), .versions = {}}));
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().detail, HasSubstr("there is no region mars; the regions are east, west"));
  EXPECT_FALSE(run(platform.app().report({.nodeId = NodeId("n"), .region = Region(), .versions = {}})));
  EXPECT_FALSE(run(platform.app().report({.nodeId = NodeId("n o"), .region = Region("east"), .versions = {}})));
  const auto unknown = run(platform.app().desired_state(NodeId("n"), 0));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(run(platform.app().report({.nodeId = NodeId("n"), .region = Region("east"), .versions = {}})));
  EXPECT_TRUE(run(platform.app().desired_state(NodeId("n"), 0)));
}

TEST(Serving, NodesFetchBinariesAndCountInvocations) {
  Platform platform;
  platform.upload("greeter", "1.0.0");
  std::string bytes;
  const auto sink = [&bytes](std::span<const std::byte> piece) -> Result<> {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  };
  EXPECT_TRUE(run(platform.app().fetch(Sha256::of(tiny_module("greeter1.0.0")), sink)));
  EXPECT_EQ(bytes, tiny_module("greeter1.0.0"));
  EXPECT_EQ(run(platform.app().fetch(Sha256::of("none"), sink)).error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(run(platform.app().count_invocations({{TenantId("default"), ModuleId("greeter-v1.0.0"), 7}})));
  EXPECT_EQ(platform.get("/api/v1/wasm/modules/greeter-v1.0.0").text("/invocationCount"), "7");
}

TEST(Serving, UnknownPathsAndMethodsAreProblems) {
  Platform platform;
  EXPECT_EQ(platform.get("/api/v1/wasm/nothing").status, 404U);
  EXPECT_EQ(platform.send("PUT", "/api/v1/wasm/modules").status, 405U);
  EXPECT_EQ(platform.get("/api/v1/wasm/nodes?x=1").status, 400U);
}

}  // namespace
}  // namespace hotswap::control
