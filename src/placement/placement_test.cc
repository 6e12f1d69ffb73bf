#include "placement/placement.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace hotswap::placement {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::size_t kPlenty = 100'000;
constexpr int kItems = 3'000;

std::vector<Candidate> nodes(int count, std::size_t capacity = kPlenty, int zones = 1) {
  std::vector<Candidate> all;
  for (int i = 0; i < count; ++i)
    all.push_back({NodeId(fmt::format("n{}", i)), fmt::format("z{}", i % zones), capacity});
  return all;
}

RouteKey key(const std::string& name) { return {TenantId("default"), name}; }

std::vector<Item> items(int count, int replicas) {
  std::vector<Item> all;
  for (int i = 0; i < count; ++i) all.push_back({key(fmt::format("module-{}", i)), replicas});
  return all;
}

// Copies that are in `after` and not in `before`.
std::size_t moved(const Assignment& before, const Assignment& after) {
  std::size_t count = 0;
  for (const auto& [item, now] : after) {
    const auto& was = before.at(item);
    count += static_cast<std::size_t>(
        std::ranges::count_if(now, [&](const NodeId& node) { return std::ranges::find(was, node) == was.end(); }));
  }
  return count;
}

TEST(Placing, GivesEachModuleItsCopiesOnDifferentNodes) {
  const auto placed = place(items(100, 2), nodes(5));
  EXPECT_THAT(placed.unplaced, IsEmpty());
  for (const auto& [item, on] : placed.assignment) {
    ASSERT_THAT(on, SizeIs(2));
    EXPECT_NE(on[0], on[1]);
  }
}

TEST(Placing, OnAllMeansOnEveryNode) {
  EXPECT_THAT(place(items(1, 0), nodes(7)).assignment.begin()->second, SizeIs(7));
}

TEST(Placing, SpreadsEvenly) {
  std::map<NodeId, int> load;
  for (const auto& [item, on] : place(items(kItems, 1), nodes(10)).assignment) ++load[on.front()];
  for (const auto& [node, copies] : load) {
    EXPECT_GT(copies, kItems / 10 * 8 / 10) << node.str();
    EXPECT_LT(copies, kItems / 10 * 12 / 10) << node.str();
  }
}

TEST(Placing, UsesAsManyZonesAsItCan) {
  std::map<NodeId, std::string> zone_of;
  const auto candidates = nodes(9, kPlenty, 3);
  for (const auto& node : candidates) zone_of[node.id] = node.zone;
  for (const auto& [item, on] : place(items(200, 3), candidates).assignment) {
    std::set<std::string> zones;
    for (const auto& node : on) zones.insert(zone_of[node]);
    EXPECT_THAT(zones, SizeIs(3));
  }
}

TEST(Placing, OneNodeMoreTakesOnlyItsShare) {
  for (const int replicas : {1, 2, 3}) {
    const auto before = place(items(kItems, replicas), nodes(10)).assignment;
    const auto after = place(items(kItems, replicas), nodes(11)).assignment;
    const double share = static_cast<double>(kItems) * replicas / 11;
    EXPECT_LT(static_cast<double>(moved(before, after)), share * 1.2) << replicas;
    EXPECT_GT(static_cast<double>(moved(before, after)), share * 0.8) << replicas;
    for (const auto& [item, on] : after) {
      for (const auto& node : on) {
        const bool stayed = std::ranges::find(before.at(item), node) != before.at(item).end();
        EXPECT_TRUE(stayed || node == NodeId("n10"));
      }
    }
  }
}

TEST(Placing, OneNodeLessMovesOnlyWhatItHeld) {
  const auto before = place(items(kItems, 2), nodes(10)).assignment;
  auto fewer = nodes(10);
  fewer.erase(fewer.begin() + 4);
  const auto after = place(items(kItems, 2), fewer).assignment;
  const auto held = std::ranges::count_if(
      before, [](const auto& entry) { return std::ranges::find(entry.second, NodeId("n4")) != entry.second.end(); });
  EXPECT_EQ(moved(before, after), static_cast<std::size_t>(held));
}

TEST(Placing, RespectsCapacityAndNamesWhatFoundNoRoom) {
  const auto placed = place(items(10, 1), nodes(2, 4));
  std::map<NodeId, int> load;
  for (const auto& [item, on] : placed.assignment) {
    for (const auto& node : on) ++load[node];
  }
  EXPECT_EQ(load[NodeId("n0")], 4);
  EXPECT_EQ(load[NodeId("n1")], 4);
  EXPECT_THAT(placed.unplaced, SizeIs(2));
  EXPECT_THAT(place(items(1, 1), {}).unplaced, SizeIs(1));
}

const NodeId kA("a"), kB("b"), kC("c");
const std::set<NodeId> kAll{kA, kB, kC};

IsReady ready_on(std::vector<NodeId> nodes) {
  return [nodes = std::move(nodes)](const RouteKey&, const NodeId& node) {
    return std::ranges::find(nodes, node) != nodes.end();
  };
}

TEST(Moving, TakesACopyAwayOnlyAfterItsReplacementIsReady) {
  const Assignment current{{key("m"), {kA}}};
  const Assignment target{{key("m"), {kB}}};
  const auto first = step(current, target, ready_on({kA}), kAll, 8);
  EXPECT_THAT(first.at(key("m")), ElementsAre(kA, kB));
  EXPECT_EQ(step(first, target, ready_on({kA}), kAll, 8), first);
  EXPECT_THAT(step(first, target, ready_on({kA, kB}), kAll, 8).at(key("m")), ElementsAre(kB));
}

TEST(Moving, KeepsToItsCap) {
  Assignment current;
  Assignment target;
  for (int i = 0; i < 10; ++i) {
    current[key(fmt::format("m{}", i))] = {kA};
    target[key(fmt::format("m{}", i))] = {kB};
  }
  auto now = current;
  for (int round = 0; round < 3; ++round) {
    now = step(now, target, ready_on({kA}), kAll, 3);
    EXPECT_EQ(std::ranges::count_if(now, [](const auto& entry) { return entry.second.size() == 2; }), 3);
  }
}

TEST(Moving, WhatNobodyServesDoesNotWait) {
  Assignment target;
  for (int i = 0; i < 10; ++i) target[key(fmt::format("m{}", i))] = {kA, kB};
  EXPECT_EQ(step({}, target, ready_on({}), kAll, 1), target);
}

TEST(Moving, ALostNodesCopyIsReplacedAndThenLetGo) {
  const Assignment current{{key("m"), {kA, kB}}};
  const Assignment target{{key("m"), {kB, kC}}};
  const auto next = step(current, target, ready_on({kA, kB}), {kB, kC}, 8);
  EXPECT_THAT(next.at(key("m")), ElementsAre(kA, kB, kC));
  EXPECT_THAT(step(next, target, ready_on({kA, kB, kC}), {kB, kC}, 8).at(key("m")), ElementsAre(kB, kC));
}

TEST(Moving, NothingIsTakenAwayWhereNobodyIsInSight) {
  const Assignment current{{key("m"), {kA, kB}}};
  EXPECT_EQ(step(current, {{key("m"), {}}}, ready_on({kA, kB}), {}, 8), current);
}

TEST(Moving, WhatIsNoLongerRoutedGoes) {
  EXPECT_THAT(step({{key("m"), {kA}}}, {}, ready_on({kA}), kAll, 8), IsEmpty());
}

}  // namespace
}  // namespace hotswap::placement
