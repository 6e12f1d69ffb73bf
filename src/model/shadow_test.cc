#include "model/shadow.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "model/node.h"

namespace hotswap {
namespace {

TEST(ShadowExamples, AreShortText) {
  EXPECT_EQ(shortened("5"), "5");
  EXPECT_EQ(shortened("grün"), "grün");
  std::string many;
  while (many.size() < 2 * limits::kShadowExampleBytes) many += "ü";
  const auto cut = shortened(many);
  EXPECT_LE(cut.size(), limits::kShadowExampleBytes);
  EXPECT_TRUE(cut.ends_with("ü…"));
  EXPECT_EQ(shortened("a\xff\nb"), "a??b");
}

TEST(ShadowExamples, AreFewAndTellDifferentThings) {
  std::vector<ShadowExample> kept;
  keep_example(kept, {.nodeId = {}, .request = "f", .differs = "status", .live = "1", .shadow = {}, .traceId = {}});
  keep_example(kept, {.nodeId = {}, .request = "f", .differs = "status", .live = "2", .shadow = {}, .traceId = {}});
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].live, "1");
  for (std::size_t i = 0; i < 2 * limits::kShadowExamples; ++i) {
    keep_example(kept, {.nodeId = {},
                        .request = "f" + std::to_string(i),
                        .differs = "status",
                        .live = {},
                        .shadow = {},
                        .traceId = {}});
  }
  EXPECT_EQ(kept.size(), limits::kShadowExamples);
}

TEST(ShadowExamples, AreSummedUpInOneLine) {
  EXPECT_EQ(
      summary({.nodeId = {}, .request = "add", .differs = "returnValue", .live = "5", .shadow = "6", .traceId = {}}),
      "add (returnValue): 5 became 6");
}

TEST(ShadowMetrics, OfAWindowAreADifference) {
  VersionMetrics before{.tenant = {}, .name = "m", .moduleId = {}, .latency = {}};
  VersionMetrics after = before;
  after.shadow =
      ShadowMetrics{.compared = 10, .mismatched = 3, .dropped = 2, .latency = {4, 6}, .liveLatency = {10, 0}};
  EXPECT_EQ(difference({"1", before}, {"1", after}).shadow, after.shadow);
  before.shadow = ShadowMetrics{.compared = 7, .mismatched = 1, .dropped = 2, .latency = {4, 3}, .liveLatency = {7, 0}};
  const ShadowMetrics window{.compared = 3, .mismatched = 2, .dropped = 0, .latency = {0, 3}, .liveLatency = {3, 0}};
  EXPECT_EQ(difference({"1", before}, {"1", after}).shadow, window);
  EXPECT_EQ(difference({"1", before}, {"2", after}).shadow, after.shadow) << "another life counts anew";
}

}  // namespace
}  // namespace hotswap
