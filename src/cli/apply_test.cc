#include <fstream>

#include "cli/test_console.h"
#include "cli/yaml_document.h"
#include "model/deployment.h"

namespace hotswap::cli {
namespace {

using testing::HasSubstr;

TEST(Yaml, BecomesTheSameDocumentInJson) {
  EXPECT_EQ(read_yaml("a: 1\nb: [true, ~, 2.5, text, \"1\"]\nc:\n  d: 25%\n").value(),
            json::parse(R"({"a":1,"b":[true,null,2.5,"text","1"],"c":{"d":"25%"}})"));
  EXPECT_EQ(read_yaml(R"({"a": [1]})").value(), json::parse(R"({"a":[1]})"));
  EXPECT_EQ(read_yaml("version: '1.0'\n").value(), json::parse(R"({"version":"1.0"})"));
}

TEST(Yaml, SaysTheLineOfWhatIsWrong) {
  EXPECT_THAT(read_yaml("a: 1\na: 2\n").error().detail, HasSubstr("line 2"));
  EXPECT_THAT(read_yaml("a: [1\n").error().detail, HasSubstr("line"));
  EXPECT_THAT(read_yaml("a: 1\n---\nb: 2\n").error().detail, HasSubstr("found 2"));
}

class Apply : public CommandTest {
 protected:
  const std::string id = "3f2a91c4-0000-4000-8000-000000000001";
  void serve() {
    server.on("GET /api/v1/wasm/modules/hello-v1.0.1", {.body = R"({"moduleId":"hello-v1.0.1","httpHandler":null})"});
    server.on("POST /api/v1/wasm/deployments",
              {.status = 201, .body = R"({"deploymentId":")" + id + R"(","status":"Pending"})"});
    server.on("POST /api/v1/wasm/deployments/" + id + "/execute",
              {.status = 202, .body = R"({"deploymentId":")" + id + R"(","status":"InProgress"})"});
  }
};

TEST_F(Apply, DeploysWhatAFileDescribes) {
  serve();
  write_file("d.yaml", "moduleId: hello@1.0.1\nstrategy: canary\nstrategyConfig:\n  stages: [10, 100]\n");
  EXPECT_EQ(console.run({"apply", "-f", path("d.yaml")}), 0) << console.err;
  EXPECT_EQ(json::parse(server.request("POST /api/v1/wasm/deployments").body),
            json::parse(R"({"moduleId":"hello-v1.0.1","strategy":"Canary","strategyConfig":{"stages":[10,100]},
                            "targetRegions":["all"]})"));
}

TEST_F(Apply, ReadsTheStandardInputAndMayStopShortOfExecuting) {
  serve();
  console.input = R"({"moduleId": "hello-v1.0.1", "targetRegions": ["eu"]})";
  EXPECT_EQ(console.run({"apply", "-f", "-", "--no-execute"}), 0) << console.err;
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(Apply, NamesTheFileThatIsWrong) {
  write_file("d.yaml", "strategy: Canary\n");
  EXPECT_EQ(console.run({"apply", "-f", path("d.yaml")}), 2);
  EXPECT_THAT(console.err, HasSubstr("d.yaml"));
  EXPECT_THAT(console.err, HasSubstr("moduleId is required"));
  EXPECT_EQ(console.run({"apply", "-f", path("absent.yaml")}), 1);
}

// ---- the schema in docs/ says what the program takes

template <class T>
void expect_described(const json::value& schema, std::string_view what) {
  const auto& properties = schema.at("properties").as_object();
  std::size_t count = 0;
  boost::mp11::mp_for_each<MembersOf<T>>([&](auto d) {
    ++count;
    EXPECT_TRUE(properties.contains(d.name)) << what << " lacks " << d.name;
  });
  EXPECT_EQ(properties.size(), count) << what << " has more than the program takes";
}

TEST(DeploymentSchema, HasEveryFieldThatTheProgramTakes) {
  std::ifstream file(HOTSWAP_SOURCE_DIR "/docs/deployment.schema.json");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto schema = json::parse(text);
  expect_described<DeploymentRequest>(schema, "the deployment");
  expect_described<HealthCheck>(schema.at_pointer("/properties/healthCheck"), "healthCheck");
  const auto& parts = schema.at("$defs");
  expect_described<AllAtOnceConfig>(parts.at("AllAtOnce"), "AllAtOnce");
  expect_described<RollingConfig>(parts.at("Rolling"), "Rolling");
  expect_described<CanaryConfig>(parts.at("Canary"), "Canary");
  expect_described<BlueGreenConfig>(parts.at("BlueGreen"), "BlueGreen");
  expect_described<RegionalConfig>(parts.at("Regional"), "Regional");
  expect_described<ABTestingConfig>(parts.at("ABTesting"), "ABTesting");
  expect_described<AnalysisConfig>(parts.at("analysis"), "analysis");
  expect_described<AnalysisMetric>(parts.at("metric"), "metric");
  expect_described<ShadowConfig>(parts.at("shadow"), "shadow");
  expect_described<HttpBinding>(parts.at("http"), "http");
  expect_described<StickyKey>(parts.at("sticky"), "sticky");
}

}  // namespace
}  // namespace hotswap::cli
