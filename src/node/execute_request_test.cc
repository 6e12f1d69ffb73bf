#include "node/execute_request.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace hotswap::node {
namespace {

TEST(ExecuteRequestBody, LeavesParametersAsTheyAreWritten) {
  const auto parsed = parse_execute_request(
      R"( {"module": "add", "function": "ns:p/i@1.0.0#f", "params": [1, {"a\u0062": "]}"}, [2.50e0, "ü"]] } )");
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->request.module, "add");
  EXPECT_FALSE(parsed->request.moduleId);
  EXPECT_EQ(parsed->request.function, "ns:p/i@1.0.0#f");
  EXPECT_EQ(parse_json(parsed->params).value(), parse_json(R"([1, {"ab": "]}"}, [2.5, "ü"]])").value());
}

TEST(ExecuteRequestBody, RoundsNoNumber) {
  const std::string params = "[-1.12091454291415E308, 9007199254740993, 0.30000000000000004]";
  EXPECT_EQ(parse_execute_request(R"({"module":"m","function":"f","params": )" + params + " }")->params, params);
  EXPECT_EQ(parse_execute_request(R"({"module":"m","function":"f","p\u0061rams":[1.5]})")->params, "[1.5E0]");
}

TEST(ExecuteRequestBody, TakesEveryFieldAndDefaults) {
  const auto whole = parse_execute_request(
      R"({"moduleId":"add-v1.0.0","function":"f","params":{"x":1},"region":"us-east","bytes":"base64"})");
  ASSERT_TRUE(whole) << whole.error().detail;
  EXPECT_EQ(whole->request.moduleId, "add-v1.0.0");
  EXPECT_EQ(whole->request.region, Region("us-east"));
  EXPECT_EQ(whole->request.bytes, BytesEncoding::base64);
  EXPECT_EQ(whole->params, R"({"x":1})");

  const auto escaped = parse_execute_request(R"({"m\u006fdule":"a\n","function":"f"})");
  ASSERT_TRUE(escaped) << escaped.error().detail;
  EXPECT_EQ(escaped->request.module, "a\n");
  EXPECT_EQ(escaped->params, "[]");
}

struct Refused {
  const char* body;
  const char* where;  // a field, or part of the detail
};

class RefusedExecuteRequest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedExecuteRequest, SaysWhere) {
  const auto parsed = parse_execute_request(GetParam().body);
  ASSERT_FALSE(parsed);
  std::string told = parsed.error().detail;
  for (const auto& field : parsed.error().fields) told += " " + field.field + ": " + field.message;
  EXPECT_NE(told.find(GetParam().where), std::string::npos) << told;
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, RefusedExecuteRequest,
    testing::Values(Refused{"", "JSON"}, Refused{"[1]", "object"},
                    Refused{R"({"module":"a","function":"f"} x)", "JSON"},
                    Refused{R"({"module":"a","function":"f","params":[1})", "JSON"},
                    Refused{R"({"module":"a","function":"f","params":3})", "params: expected an array or an object"},
                    Refused{R"({"module":"a","function":"f","other":1})", "other"},
                    Refused{R"({"module":1,"function":"f"})", "module"}, Refused{R"({"function":"f"})", "module"},
                    Refused{R"({"module":"a","moduleId":"b","function":"f"})", "module"},
                    Refused{R"({"module":"a"})", "function"},
                    Refused{"{\"module\":\"\xff\",\"function\":\"f\"}", "JSON"}),
    [](const auto& info) { return "Body" + std::to_string(info.index); });

}  // namespace
}  // namespace hotswap::node
