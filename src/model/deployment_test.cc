#include "model/deployment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/limits.h"
#include "model/model_fixture.h"

namespace hotswap {
namespace {

DeploymentRequest good_request() {
  DeploymentRequest request;
  request.moduleId = ModuleId("greeter-v1.0.0");
  request.targetRegions = {Region("all")};
  return request;
}

struct RequestCase {
  std::string name;
  std::function<void(DeploymentRequest&)> change;
  std::vector<std::string> broken;
};

class RequestRules : public testing::TestWithParam<RequestCase> {};

TEST_P(RequestRules, NameEveryBrokenField) {
  DeploymentRequest request = good_request();
  GetParam().change(request);
  EXPECT_EQ(fields_of(validate(request)), GetParam().broken);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RequestRules,
    testing::ValuesIn(std::vector<RequestCase>{
        {"Good", [](auto&) {}, {}},
        {"OnlyNodes",
         [](auto& r) {
           r.targetRegions.clear();
           r.targetNodes = std::vector{NodeId("n1"), NodeId("edge.example")};
         },
         {}},
        {"NoTarget", [](auto& r) { r.targetRegions.clear(); }, {"targetRegions"}},
        {"EmptyNodes",
         [](auto& r) {
           r.targetRegions.clear();
           r.targetNodes.emplace();
         },
         {"targetRegions"}},
        {"BadTargets",
         [](auto& r) {
           r.targetRegions = {Region("eu"), Region(""), Region("e u"), Region("eu")};
           r.targetNodes = std::vector{NodeId("n1"), NodeId("n1"), NodeId("n/1")};
         },
         {"targetRegions[1]", "targetRegions[2]", "targetRegions[3]", "targetNodes[1]", "targetNodes[2]"}},
        {"TooManyRegions",
         [](auto& r) {
           r.targetRegions.clear();
           for (std::size_t i = 0; i <= limits::kListEntries; ++i) r.targetRegions.emplace_back(std::to_string(i));
         },
         {"targetRegions"}},
        {"NoModule", [](auto& r) { r.moduleId = ModuleId(); }, {"moduleId"}},
        {"ConfigNotAnObject", [](auto& r) { r.strategyConfig = json::array(); }, {"strategyConfig"}},
        {"CheckAtItsLeast",
         [](auto& r) {
           r.healthCheck.timeoutSeconds = r.healthCheck.successThreshold = r.healthCheck.failureThreshold = 1;
         },
         {}},
        {"CheckBelow",
         [](auto& r) {
           r.healthCheck.timeoutSeconds = r.healthCheck.successThreshold = r.healthCheck.failureThreshold = 0;
           r.healthCheck.functionName.clear();
         },
         {"healthCheck.functionName", "healthCheck.timeoutSeconds", "healthCheck.successThreshold",
          "healthCheck.failureThreshold"}},
        {"CheckAbove",
         [](auto& r) {
           r.healthCheck.timeoutSeconds = 61;
           r.healthCheck.successThreshold = r.healthCheck.failureThreshold = 11;
           r.healthCheck.expectedResult = std::string(limits::kDescriptionBytes + 1, 'x');
         },
         {"healthCheck.expectedResult", "healthCheck.timeoutSeconds", "healthCheck.successThreshold",
          "healthCheck.failureThreshold"}},
        {"DisabledCheckNeedsNoFunction",
         [](auto& r) {
           r.healthCheck.enabled = false;
           r.healthCheck.functionName.clear();
         },
         {}},
        {"CheckOfAPath",
         [](auto& r) {
           r.healthCheck.httpPath = "/up?deep=%20";
           r.healthCheck.httpStatus = 599;
         },
         {}},
        {"CheckOfNoPath",
         [](auto& r) {
           r.healthCheck.httpPath = "up";
           r.healthCheck.httpStatus = 99;
         },
         {"healthCheck.httpPath", "healthCheck.httpStatus"}},
        {"CheckOfAPathWithALineBreak",
         [](auto& r) {
           r.healthCheck.httpPath = "/up HTTP/1.1\r\nx: y";
           r.healthCheck.httpStatus = 600;
         },
         {"healthCheck.httpPath", "healthCheck.httpStatus"}},
        {"BadBinding", [](auto& r) { r.http = HttpBinding{"x:1", "x"}; }, {"http.host", "http.pathPrefix"}},
    }),
    [](const auto& info) { return info.param.name; });

TEST(CallerBreaks, AreApprovedAsTheyWereSeen) {
  const CallerBreak gone{.path = "add",
                         .was = "func()",
                         .is = "",
                         .inPlace = ModuleId("a-v1.0.0"),
                         .regions = {Region("eu"), Region("us")}};
  EXPECT_EQ(text_of(gone), "add: was func(), is gone (a-v1.0.0 in eu, us)");
  EXPECT_THAT(not_approved({gone}, {gone}), testing::IsEmpty());
  EXPECT_THAT(not_approved({gone}, {}), testing::ElementsAre(gone));
  auto by_another = gone;
  by_another.inPlace = ModuleId("a-v1.0.1");
  EXPECT_THAT(not_approved({by_another}, {gone}), testing::IsEmpty());
  auto otherwise = gone;
  otherwise.is = "func(u32)";
  EXPECT_THAT(not_approved({otherwise}, {gone}), testing::ElementsAre(otherwise));
  auto in_asia = gone;
  in_asia.regions = {Region("eu"), Region("asia")};
  const auto left = not_approved({in_asia}, {gone});
  ASSERT_EQ(left.size(), 1U);
  EXPECT_THAT(left.front().regions, testing::ElementsAre(Region("asia")));
}

}  // namespace
}  // namespace hotswap
