#include "model/node_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace hotswap {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const TenantId kTenant("default");

VersionReport version(const std::string& id, VersionState state = VersionState::Ready) {
  return {.tenant = kTenant, .moduleId = ModuleId(id), .state = state, .reason = ""};
}

VersionMetrics metrics(const std::string& id, std::int64_t requests) {
  return {.tenant = kTenant, .name = "m", .moduleId = ModuleId(id), .requests = requests, .latency = {requests}};
}

NodeReport report(std::int64_t number, std::vector<VersionReport> versions, std::vector<VersionMetrics> counted = {}) {
  NodeReport made{.nodeId = NodeId("n"), .region = Region("local"), .versions = std::move(versions)};
  made.incarnation = "life";
  made.number = number;
  made.versionMetrics = std::move(counted);
  return made;
}

TEST(NodeReportChange, CarriesOnlyWhatDiffers) {
  const auto known = report(1, {version("a"), version("b"), version("c", VersionState::Compiling)},
                            {metrics("a", 1), metrics("b", 5)});
  const auto now = report(2, {version("a"), version("c"), version("d")}, {metrics("a", 2)});
  const auto change = change_between(known, now);
  EXPECT_EQ(change.after, 1);
  EXPECT_THAT(change.versions, ElementsAre(version("c"), version("d")));
  EXPECT_THAT(change.dropVersions, ElementsAre(VersionKey{kTenant, ModuleId("b")}));
  EXPECT_THAT(change.versionMetrics, ElementsAre(metrics("a", 2)));
  auto heard = known;
  EXPECT_EQ(apply(heard, *from_json_text<NodeReport>(to_json_text(change))), true);
  EXPECT_EQ(heard, now);
}

TEST(NodeReportChange, OfNothingCarriesNoVersions) {
  const auto known = report(1, {version("a")}, {metrics("a", 1)});
  auto now = known;
  now.number = 2;
  now.routedRevision = 9;
  const auto change = change_between(known, now);
  EXPECT_THAT(change.versions, IsEmpty());
  EXPECT_THAT(change.versionMetrics, IsEmpty());
  auto heard = known;
  EXPECT_EQ(apply(heard, change), false);
  EXPECT_EQ(heard, now);
}

TEST(NodeReportChange, IsRefusedByWhoeverKnowsAnotherReport) {
  const auto change = change_between(report(2, {}), report(3, {version("a")}));
  for (const auto& known : {report(1, {version("x")}), NodeReport{}}) {
    auto heard = known;
    EXPECT_EQ(apply(heard, change).error().kind, ErrorKind::kConflict);
    EXPECT_EQ(heard, known);
  }
  auto another_life = report(2, {});
  another_life.incarnation = "another";
  EXPECT_FALSE(apply(another_life, change));
}

TEST(NodeReport, ThatComesLateIsRefused) {
  auto heard = report(5, {version("a")});
  EXPECT_EQ(apply(heard, report(4, {version("b")})).error().kind, ErrorKind::kConflict);
  EXPECT_THAT(heard.versions, ElementsAre(version("a")));
  auto reborn = report(1, {version("b")});
  reborn.incarnation = "another";
  EXPECT_EQ(apply(heard, reborn), true);
  EXPECT_EQ(heard, reborn);
}

TEST(NodeReport, IsSortedAsItIsHeardSoThatItsVersionsAreFound) {
  NodeReport heard;
  ASSERT_TRUE(apply(heard, report(1, {version("c"), version("a"), version("b")}, {metrics("b", 1), metrics("a", 2)})));
  EXPECT_EQ(find_version(heard, kTenant, ModuleId("a"))->moduleId, ModuleId("a"));
  EXPECT_EQ(find_version(heard, kTenant, ModuleId("d")), nullptr);
  EXPECT_EQ(find_version(heard, TenantId("other"), ModuleId("a")), nullptr);
  EXPECT_EQ(find_metrics(heard, kTenant, ModuleId("b"))->requests, 1);
}

// A node whose versions come, go and change, and a control plane that is started anew; requests and replies get lost,
// and some come late.
TEST(NodeReport, IsKnownAsItIsAfterEveryReplyWhateverWasLost) {
  std::mt19937_64 random(7);  // NOLINT(cert-msc51-cpp): the same numbers each time
  const auto one_in = [&random](int n) { return std::uniform_int_distribution(1, n)(random) == 1; };
  NodeReport now = report(0, {});
  std::optional<NodeReport> told;
  std::optional<NodeReport> late;
  NodeReport known;
  int in_part = 0;
  for (int round = 0; round < 2'000; ++round) {
    std::vector<VersionReport> versions;
    std::vector<VersionMetrics> counted;
    for (char id = 'a'; id < 'i'; ++id) {
      const std::string name(1, id);
      const auto* had = find_version(now, kTenant, ModuleId(name));
      if (one_in(20) ? had != nullptr : had == nullptr) continue;
      versions.push_back(one_in(10) ? version(name, VersionState::Failed) : had != nullptr ? *had : version(name));
      const auto* counts = find_metrics(now, kTenant, ModuleId(name));
      if (one_in(3)) {
        counted.push_back(metrics(name, round));
      } else if (counts != nullptr) {
        counted.push_back(*counts);
      }
    }
    if (versions.empty()) versions.push_back(version("a"));
    now = report(round + 1, std::move(versions), std::move(counted));
    if (one_in(50)) known = {};
    const auto sent = told ? change_between(*told, now) : now;
    if (late && one_in(2)) {
      const auto before = known;
      if (const auto heard = apply(known, *std::exchange(late, std::nullopt)); !heard) {
        EXPECT_EQ(known, before);
      }
    }
    if (one_in(20)) {
      late = sent;
      told.reset();
      continue;
    }
    const auto heard = apply(known, sent);
    const bool answered = heard && !one_in(20);
    told.reset();
    if (!answered) continue;
    ASSERT_EQ(known, now) << "round " << round;
    told = now;
    in_part += sent.after ? 1 : 0;
  }
  EXPECT_GT(in_part, 1'000);
}

}  // namespace
}  // namespace hotswap
