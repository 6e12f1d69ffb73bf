// Every strategy over nine node processes in three regions, each gateway under load, while processes are killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fleet/load.h"
#include "fleet/nine_nodes.h"

namespace hotswap::e2e {
namespace {

using testing::IsEmpty;

constexpr LoadOptions kSteady{.pause = std::chrono::milliseconds(2)};

class Strategies : public NineNodes, public testing::WithParamInterface<Strategy> {
 protected:
  [[nodiscard]] int steps_of(const std::string& id) const {
    return static_cast<int>(deployment(id).at("plan").as_array().size());
  }
  void expect_completed(const std::string& id) const {
    EXPECT_TRUE(eventually([&] { return ended(id); }));
    EXPECT_EQ(status(id), "Completed") << json::serialize(deployment(id));
  }
};

TEST_P(Strategies, LoseNoRequestWhileTheControlPlaneIsKilledInEachStep) {
  Load load(nodes_, kSteady);
  const std::string undisturbed = begin(GetParam());
  expect_completed(undisturbed);
  EXPECT_TRUE(eventually([&] { return everywhere(newest()); }));
  for (int step = 0; step < steps_of(undisturbed); ++step) {
    SCOPED_TRACE(testing::Message() << "killed in step " << step);
    const std::string id = begin(GetParam());
    EXPECT_TRUE(eventually([&] { return reached(id, step); }));
    control_.kill();
    control_.start();
    expect_completed(id);
    EXPECT_TRUE(eventually([&] { return everywhere(newest()); }));
  }
  const auto tally = load.stop();
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
  EXPECT_FALSE(tally.answered.empty());
}

TEST_P(Strategies, GoOnWithoutANodeThatIsKilledAndItFollowsWhenItIsBack) {
  NodeProcess& doomed = *nodes_[4];
  std::vector<std::string> others;
  for (const auto& node : nodes_) {
    if (node.get() != &doomed) others.push_back(node->gateway());
  }
  Load load(others, kSteady);
  // With the node alone, then with the control plane too.
  for (const bool both : {false, true}) {
    SCOPED_TRACE(both ? "both killed" : "node killed");
    Load on_doomed({doomed.gateway()}, {.pause = kSteady.pause, .until_failure = true});
    const std::string id = begin(GetParam());
    EXPECT_TRUE(eventually([&] { return reached(id, steps_of(id) / 2); }));
    doomed.kill();
    if (both) {
      control_.kill();
      control_.start();
    }
    expect_completed(id);
    doomed.start();
    EXPECT_TRUE(eventually([&] { return control_.condition(doomed.id()) == "Healthy"; }));
    EXPECT_TRUE(eventually([&] { return everywhere(newest()); })) << newest() << '\n' << answers_of_all();
    // What was in flight on it, and nothing before.
    EXPECT_LE(on_doomed.stop().failed[""], 1);
  }
  const auto tally = load.stop();
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
}

INSTANTIATE_TEST_SUITE_P(
    All, Strategies,
    testing::Values(Strategy{"AllAtOnce", R"({"holdSeconds": 1})"},
                    Strategy{"Rolling", R"({"batchSize": "100%", "batchDurationSeconds": 1, "maxUnavailable": 1})"},
                    Strategy{"Canary", R"({"stages": [50, 100], "holdSeconds": 1})"},
                    Strategy{"BlueGreen", R"({"testDurationSeconds": 1, "keepBlueSeconds": 1})"},
                    Strategy{"Regional", R"({"holdSeconds": 1})"}, Strategy{"ABTesting", R"({"weights": [50, 50]})"}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace hotswap::e2e
