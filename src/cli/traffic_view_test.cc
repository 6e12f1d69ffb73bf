#include "cli/traffic_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/test_console.h"

namespace hotswap::cli {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

const SteadyPoint kStart{seconds(1000)};

// Requests took at most 1 ms, between 1 and 10 ms, and more.
std::string row(const std::string& version, int fast, int slow, int failures = 0) {
  return R"({"region":"eu","name":"hello","moduleId":")" + version + R"(","requests":)" + std::to_string(fast + slow) +
         R"(,"failures":)" + std::to_string(failures) + R"(,"latency":[)" + std::to_string(fast) + "," +
         std::to_string(slow) + R"(,0],"latencySeconds":0.1})";
}

std::string traffic_text(const std::string& rows) {
  return R"({"latencyBoundsSeconds":[0.001,0.01],"items":[)" + rows + "]}";
}
const std::string kRoutesText =
    R"({"items":[{"tenant":"default","name":"hello","region":"eu","versions":[{"moduleId":"hello-v1.0.0","weight":90},)"
    R"({"moduleId":"hello-v2.0.0","weight":10}],"onNodes":[]}]})";

class TrafficViewTest : public testing::Test {
 protected:
  void look(const std::string& rows, int at) {
    view_.look(json::parse(traffic_text(rows)), json::parse(kRoutesText), kStart + seconds(at));
  }
  TrafficView view_{seconds(10)};
};

TEST_F(TrafficViewTest, ShowsRatesOfTheWindowAndTheRoutesWeights) {
  look(row("hello-v1.0.0", 1000, 0), 0);
  look(row("hello-v1.0.0", 1090, 10, 5) + "," + row("hello-v2.0.0", 0, 20), 10);
  const auto lines = view_.lines(TrafficOrder::rate);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].moduleId, "hello-v1.0.0");
  EXPECT_EQ(lines[0].weight, 90);
  EXPECT_DOUBLE_EQ(lines[0].requestsPerSecond, 10);
  EXPECT_DOUBLE_EQ(lines[0].failedPercent, 5);
  EXPECT_LE(lines[0].p50Ms.value(), 1);
  EXPECT_GT(lines[0].p99Ms.value(), 1);
  EXPECT_DOUBLE_EQ(lines[1].requestsPerSecond, 2);
  EXPECT_EQ(view_.covered(), seconds(10));
}

TEST_F(TrafficViewTest, ForgetsWhatHappenedBeforeTheWindow) {
  look(row("hello-v1.0.0", 0, 0), 0);
  look(row("hello-v1.0.0", 1000, 0), 10);
  look(row("hello-v1.0.0", 1000, 0), 15);
  look(row("hello-v1.0.0", 1050, 0), 20);
  const auto lines = view_.lines(TrafficOrder::rate);
  EXPECT_DOUBLE_EQ(lines[0].requestsPerSecond, 5);
  EXPECT_THAT(lines[0].trend, ElementsAre(100, 0, 10));
}

TEST_F(TrafficViewTest, BeginsAnewWhereAnotherControlPlaneCounts) {
  look(row("hello-v1.0.0", 1000, 0), 0);
  look(row("hello-v1.0.0", 30, 0), 10);
  EXPECT_DOUBLE_EQ(view_.lines(TrafficOrder::rate)[0].requestsPerSecond, 3);
}

TEST_F(TrafficViewTest, ShowsAnUnroutedVersionOnlyWhileItIsCalled) {
  look(row("hello-v0.9.0", 100, 0), 0);
  look(row("hello-v0.9.0", 200, 0), 5);
  ASSERT_THAT(view_.lines(TrafficOrder::name), SizeIs(3));
  EXPECT_EQ(view_.lines(TrafficOrder::name)[0].weight, std::nullopt);
  look(row("hello-v0.9.0", 200, 0), 10);
  look(row("hello-v0.9.0", 200, 0), 20);
  EXPECT_THAT(view_.lines(TrafficOrder::name), SizeIs(2));
}

TEST_F(TrafficViewTest, SaysNothingOfOneLook) {
  look(row("hello-v1.0.0", 1000, 0), 0);
  EXPECT_EQ(view_.covered().count(), 0);
  EXPECT_EQ(view_.lines(TrafficOrder::rate)[0].p50Ms, std::nullopt);
}

TEST(Sparkline, ScalesToTheLargestValue) {
  EXPECT_EQ(sparkline({0, 1, 4, 8}), " ▁▄█");
  EXPECT_EQ(sparkline({}), "");
  EXPECT_EQ(sparkline({0, 0}), "  ");
}

class Top : public CommandTest {
 protected:
  Top() {
    server.on("GET /api/v1/wasm/traffic", {.body = traffic_text(row("hello-v1.0.0", 10, 0))});
    server.on("GET /api/v1/wasm/routes", {.body = kRoutesText});
  }
};

TEST_F(Top, PrintsATableForEachLook) {
  EXPECT_EQ(console.run({"top", "--interval", "1", "--count", "1"}), 0) << console.err;
  EXPECT_THAT(console.out, HasSubstr("hello-v2.0.0"));
  EXPECT_THAT(console.out, HasSubstr("90%"));
}

TEST_F(Top, PrintsDocumentsForPrograms) {
  EXPECT_EQ(console.run({"top", "--interval", "1", "--count", "1", "--output", "json", "--region", "us"}), 0);
  EXPECT_TRUE(json::parse(console.out).at("items").as_array().empty());
}

}  // namespace
}  // namespace hotswap::cli
