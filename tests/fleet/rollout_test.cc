// Rollouts over three node processes, while each of them is under load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fleet/load.h"
#include "fleet/three_nodes.h"

namespace hotswap::e2e {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::UnorderedElementsAre;

constexpr const char* kCanary = R"({"stages": [34, 100], "holdSeconds": 3, "analysis": {
    "metrics": [{"metric": "errorRate", "threshold": 5}], "intervalSeconds": 1, "minimumRequests": 50}})";
constexpr int kNotCompleted = 5;  // exit code of --watch

// Exports what the sample c-add does; all of it traps.
constexpr unsigned char kTrapping[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,              // version 1
    0x01, 0x13, 0x03,                                            // three types
    0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f,                          // (i32, i32) -> i32
    0x60, 0x02, 0x7e, 0x7e, 0x01, 0x7e,                          // (i64, i64) -> i64
    0x60, 0x02, 0x7c, 0x7c, 0x01, 0x7c,                          // (f64, f64) -> f64
    0x03, 0x04, 0x03, 0x00, 0x01, 0x02,                          // a function of each
    0x07, 0x17, 0x03, 0x03, 0x61, 0x64, 0x64, 0x00, 0x00,        // "add"
    0x05, 0x6d, 0x75, 0x6c, 0x36, 0x34, 0x00, 0x01,              // "mul64"
    0x05, 0x73, 0x63, 0x61, 0x6c, 0x65, 0x00, 0x02,              // "scale"
    0x0a, 0x0d, 0x03, 0x03, 0x00, 0x00, 0x0b, 0x03, 0x00, 0x00,  // unreachable
    0x0b, 0x03, 0x00, 0x00, 0x0b,
};

class RolloutUnderLoad : public ThreeNodes {
 protected:
  RolloutUnderLoad() { control_.release("c-add", "add", "1.0.0"); }
  void push(const std::string& file, const std::string& version) const {
    control_.hotswap({"module", "push", file, "--name", "add", "--version", version});
  }
  [[nodiscard]] Child::Ended deploy(const std::string& version, const std::vector<std::string>& how) const {
    std::vector<std::string> arguments{"--server", control_.api(), "deploy", "add@" + version, "--watch"};
    arguments.insert(arguments.end(), how.begin(), how.end());
    return run(arguments);
  }
  [[nodiscard]] json::value routes() const { return ask(control_.api(), "GET", "/api/v1/wasm/routes"); }
};

TEST_F(RolloutUnderLoad, ACanaryThatTrapsIsTakenBackByTheFiguresOfTheNodesAlone) {
  const std::string file = folder_.path() + "/trapping.wasm";
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(kTrapping), sizeof kTrapping);
  push(file, "2.0.0");
  const json::value before = routes();
  Load load(nodes_);
  const auto ended = deploy("2.0.0", {"--strategy", "canary", "--config-json", kCanary});
  EXPECT_EQ(ended.exit_code, kNotCompleted) << ended.out << ended.err;
  EXPECT_THAT(ended.out + ended.err, HasSubstr("error rate 100%"));
  EXPECT_EQ(routes(), before);
  EXPECT_TRUE(eventually([&] {
    return std::ranges::all_of(nodes_, [](const auto& node) { return node->add(2, 3).at("moduleId") == "add-v1.0.0"; });
  }));
  const auto tally = load.stop();
  EXPECT_THAT(tally.answered, UnorderedElementsAre(Key("add-v1.0.0")));
  EXPECT_THAT(tally.failed, UnorderedElementsAre(Key("add-v2.0.0"))) << tally.example;

  Load again(nodes_);
  EXPECT_TRUE(eventually([&] { return nodes_.front()->add(2, 3).at("returnValue") == 5; }));
  EXPECT_THAT(again.stop().failed, IsEmpty());
}

TEST_F(RolloutUnderLoad, AGoodCanaryCompletesAndNoRequestFails) {
  push(sample("c-add"), "2.0.0");
  Load load(nodes_);
  const auto ended = deploy("2.0.0", {"--strategy", "canary", "--config-json", kCanary});
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  for (const auto& node : nodes_) EXPECT_EQ(node->add(2, 3).at("moduleId"), "add-v2.0.0") << node->id();
  const auto tally = load.stop();
  EXPECT_THAT(tally.answered, UnorderedElementsAre(Key("add-v1.0.0"), Key("add-v2.0.0")));
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
}

TEST_F(RolloutUnderLoad, BatchesSwapNodeByNodeAndNoRequestFails) {
  push(sample("c-add"), "2.0.0");
  Load load(nodes_);
  const auto ended = deploy("2.0.0", {"--strategy", "rolling", "--batch-size", "1", "--hold", "1s"});
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out + ended.err, HasSubstr("batch 3 of 3"));
  for (const auto& node : nodes_) EXPECT_EQ(node->add(2, 3).at("moduleId"), "add-v2.0.0") << node->id();
  const auto tally = load.stop();
  EXPECT_THAT(tally.answered, UnorderedElementsAre(Key("add-v1.0.0"), Key("add-v2.0.0")));
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
}

}  // namespace
}  // namespace hotswap::e2e
