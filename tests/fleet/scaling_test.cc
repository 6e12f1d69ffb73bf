// `hotswap up --max-nodes`: node processes come and go with the load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/clock.h"
#include "fleet/load.h"

namespace hotswap::e2e {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr std::int64_t kCooldownSeconds = 3;

// `hotswap up` with node processes, short windows, and the module "add" in service.
class ScalingUp {
 public:
  explicit ScalingUp(const std::vector<std::string>& more) : child_(arguments(more)) {
    const auto ready = json::parse(child_.out_line());
    api_ = ready.at("api").as_string();
    for (const auto& node : ready.at("nodes").as_array()) gateways_.emplace_back(node.at("gateway").as_string());
    hotswap({"module", "push", sample("c-add"), "--name", "add", "--version", "1.0.0"});
    hotswap({"deploy", "add@1.0.0", "--watch"});
  }

  std::string hotswap(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--server", api_});
    const auto ended = run(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out;
  }
  [[nodiscard]] json::value node(const std::string& id) const { return ask(api_, "GET", "/api/v1/wasm/nodes/" + id); }
  [[nodiscard]] bool serves(const std::string& id) const {
    const auto shown = node(id);
    return shown.is_object() && shown.as_object().contains("condition") && shown.at("condition") == "Healthy" &&
           !shown.at("deployedModules").as_array().empty();
  }
  [[nodiscard]] bool knows(const std::string& id) const { return node(id).as_object().contains("condition"); }
  [[nodiscard]] std::size_t nodes() const {
    return ask(api_, "GET", "/api/v1/wasm/nodes").at("items").as_array().size();
  }
  // Oldest first.
  [[nodiscard]] json::array decisions() const {
    auto items = ask(api_, "GET", "/api/v1/wasm/scaling/decisions").at("items").as_array();
    std::ranges::reverse(items);
    return items;
  }
  // From how many nodes to how many, in no order. A decision that takes longer than the cooldown to carry out is made
  // again, as it was.
  [[nodiscard]] std::set<std::pair<std::int64_t, std::int64_t>> changes() const {
    std::set<std::pair<std::int64_t, std::int64_t>> all;
    for (const auto& decision : decisions()) {
      all.emplace(decision.at("fromNodes").as_int64(), decision.at("toNodes").as_int64());
    }
    return all;
  }
  [[nodiscard]] const std::string& api() const { return api_; }
  [[nodiscard]] const std::vector<std::string>& gateways() const { return gateways_; }
  [[nodiscard]] bool has_data_of(const std::string& id) const {
    return std::filesystem::exists(folder_.path() + "/nodes/" + id);
  }
  [[nodiscard]] Child::Ended stop() {
    child_.send(SIGTERM);
    return child_.wait();
  }

 private:
  [[nodiscard]] std::vector<std::string> arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> all{"up",
                                 "--data",
                                 folder_.path(),
                                 "--api",
                                 "127.0.0.1:0",
                                 "--gateway",
                                 "127.0.0.1:0",
                                 "--threads",
                                 "1",
                                 "--instances",
                                 "16",
                                 "--output",
                                 "json",
                                 "--report-every",
                                 "1",
                                 "--scale-cooldown",
                                 std::to_string(kCooldownSeconds)};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  Folder folder_;
  Child child_;
  std::string api_;
  std::vector<std::string> gateways_;
};

std::int64_t milliseconds_between(const json::value& first, const json::value& second) {
  const auto at = [](const json::value& event) { return *parse_rfc3339(event.at("at").as_string()); };
  return (at(second) - at(first)).count();
}

TEST(ScalingUpAndDown, LoadOnARegionStartsANodeThereAndItsEndStopsIt) {
  ScalingUp up({"--nodes", "2", "--regions", "us-east,eu-west", "--max-nodes", "us-east=2", "--scale-up-cpu", "1",
                "--scale-up-after", "2", "--scale-down-cpu", "0.5", "--scale-down-after", "2"});
  Load load(std::vector<std::string>(4, up.gateways().at(0)));
  EXPECT_TRUE(eventually([&] { return up.serves("us-east-2"); }));
  EXPECT_THAT(load.stop().failed, IsEmpty());
  const auto gateway = up.node("us-east-2");
  EXPECT_EQ(gateway.at("region"), "us-east");
  EXPECT_EQ(gateway.at("zone"), "b");

  EXPECT_TRUE(eventually([&] { return !up.knows("us-east-2"); }));
  EXPECT_TRUE(eventually([&] { return !up.has_data_of("us-east-2"); }));
  const std::string origin = "http://127.0.0.1:" + std::to_string(gateway.at("port").as_int64());
  EXPECT_TRUE(ask(origin, "GET", "/m/add/").is_null());
  const auto decisions = up.decisions();
  ASSERT_GE(decisions.size(), 2U);
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const auto& decision = decisions.at(i);
    EXPECT_EQ(decision.at("region"), "us-east");
    EXPECT_EQ(decision.at("trigger"), decision.at("toNodes") == 2 ? "cpuHigh" : "cpuLow");
    if (i > 0) EXPECT_GE(milliseconds_between(decisions.at(i - 1), decision), kCooldownSeconds * 1000);
  }
  EXPECT_EQ(decisions.front().at("trigger"), "cpuHigh");
  EXPECT_EQ(decisions.back().at("trigger"), "cpuLow");
  EXPECT_THAT(up.changes(), ElementsAre(Pair(1, 2), Pair(2, 1)));
  EXPECT_EQ(up.nodes(), 2U);
  EXPECT_TRUE(up.serves("us-east-1"));
  EXPECT_THAT(up.hotswap({"scaling", "decisions"}), HasSubstr("cpuHigh"));
  EXPECT_THAT(up.hotswap({"scaling", "status"}), HasSubstr("us-east"));
  const auto ended = up.stop();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

// Whatever these nodes do counts as little, so that the region shrinks under full load.
TEST(ScalingUpAndDown, ARegionShrinksToItsMinimumUnderLoadAndNothingIsDropped) {
  ScalingUp up({"--nodes", "3", "--regions", "us-east", "--min-nodes", "1", "--max-nodes", "3", "--scale-up-cpu", "100",
                "--scale-down-cpu", "99.9", "--scale-down-after", "1"});
  Load load({up.api(), up.api(), up.gateways().at(0)});
  EXPECT_TRUE(eventually([&] { return up.nodes() == 1; }));
  const auto tally = load.stop();
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
  EXPECT_TRUE(up.serves("us-east-1"));
  EXPECT_THAT(up.changes(), ElementsAre(Pair(2, 1), Pair(3, 2)));
}

TEST(ScalingUpAndDown, SettingsThatCannotBeMeantAreRefused) {
  Folder folder;
  const std::vector<std::string> base{"up",        "--data",      folder.path(), "--api", "127.0.0.1:0",
                                      "--gateway", "127.0.0.1:0", "--instances", "16"};
  const auto refused = [&](std::vector<std::string> more) {
    more.insert(more.begin(), base.begin(), base.end());
    const auto ended = run(more);
    EXPECT_NE(ended.exit_code, 0);
    return ended.err;
  };
  EXPECT_THAT(refused({"--max-nodes", "3"}), HasSubstr("--max-nodes needs --nodes"));
  EXPECT_THAT(refused({"--nodes", "1", "--max-nodes", "mars=3"}), HasSubstr("there is no such region"));
  EXPECT_THAT(refused({"--nodes", "1", "--max-nodes", "33"}), HasSubstr("32 are possible"));
  EXPECT_THAT(refused({"--nodes", "2", "--max-nodes", "1"}), HasSubstr("is more than --max-nodes"));
  EXPECT_THAT(refused({"--nodes", "1", "--max-nodes", "2", "--scale-up-cpu", "20"}), HasSubstr("must be less than"));
  EXPECT_THAT(refused({"--scaling-webhook", "ftp://host/"}), HasSubstr("--scaling-webhook"));
  EXPECT_THAT(refused({"--prometheus-url", "localhost:9090"}), HasSubstr("--prometheus-url"));
  EXPECT_THAT(refused({"--web-ca", sample("c-add")}), HasSubstr("--web-ca: " + sample("c-add")));
}

TEST(NodeProcesses, OneThatEndsByItselfIsStartedAgainAtTheSameAddress) {
  const Folder folder;
  Child up({"up", "--data", folder.path(), "--api", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--threads", "1",
            "--instances", "16", "--output", "json", "--nodes", "2", "--report-every", "1"});
  const auto ready = json::parse(up.out_line());
  const std::string api(ready.at("api").as_string());
  const auto& killed = ready.at("nodes").as_array().at(1);
  const std::string path = "/api/v1/wasm/nodes/" + std::string(killed.at("nodeId").as_string());
  const auto started_at = [&] {
    const auto shown = ask(api, "GET", path);
    const auto* value = shown.is_object() ? shown.as_object().if_contains("startedAt") : nullptr;
    return value == nullptr ? json::value() : *value;
  };
  ASSERT_TRUE(eventually([&] { return started_at().is_string(); }));
  const auto began = started_at();
  ASSERT_EQ(::kill(killed.at("pid").to_number<pid_t>(), SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return started_at().is_string() && started_at() != began; }));
  EXPECT_TRUE(eventually([&] {
    const auto answer = ask(std::string(killed.at("gateway").as_string()), "GET", "/m/nobody/");
    return answer.is_object() && answer.at("status") == 404;
  }));
  up.send(SIGTERM);
  EXPECT_EQ(up.wait().exit_code, 0);
}

}  // namespace
}  // namespace hotswap::e2e
