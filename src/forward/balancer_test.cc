#include "forward/balancer.h"

#include <gtest/gtest.h>

namespace hotswap::forward {
namespace {

using namespace std::chrono_literals;

class Balancing : public testing::Test {
 protected:
  // How often each of many requests, all ended at once, goes to `node`, in percent.
  int share(const char* node, int requests = 2'000) {
    int count = 0;
    for (int i = 0; i < requests; ++i) count += balancer_.choose(peers_)->node == NodeId(node) ? 1 : 0;
    return count * 100 / requests;
  }
  void fail(const char* node) {
    balancer_.began(NodeId(node));
    balancer_.ended(NodeId(node), true);
  }

  ManualClock clock_{TimePoint{}};
  SeededRandom random_{7};
  Balancer balancer_{clock_, random_};
  const std::vector<Peer> peers_{{NodeId("a"), "http://a"}, {NodeId("b"), "http://b"}, {NodeId("c"), "http://c"}};
};

TEST_F(Balancing, SpreadsEvenlyOverIdleNodes) {
  for (const char* node : {"a", "b", "c"}) EXPECT_NEAR(share(node), 33, 5) << node;
}

TEST_F(Balancing, TheBusiestOfThreeIsNeverChosen) {
  for (int i = 0; i < 5; ++i) balancer_.began(NodeId("a"));
  EXPECT_EQ(share("a"), 0);
  for (int i = 0; i < 5; ++i) balancer_.ended(NodeId("a"), false);
  EXPECT_GT(share("a"), 20);
}

TEST_F(Balancing, LeavesTheOneOutThatFailedBefore) {
  const NodeId a("a");
  for (int i = 0; i < 100; ++i) EXPECT_NE(balancer_.choose(peers_, &a)->node, a);
  EXPECT_EQ(balancer_.choose({peers_.data(), 1}, &a), nullptr);
  EXPECT_EQ(balancer_.choose({}), nullptr);
}

TEST_F(Balancing, AFailedNodeIsLeftOutAndComesBackLittleByLittle) {
  fail("a");
  EXPECT_EQ(share("a"), 0);
  clock_.advance(limits::kPeerEjection + limits::kPeerReadmission / 10);
  const int early = share("a");
  EXPECT_LT(early, 10);
  clock_.advance(limits::kPeerReadmission / 2);
  EXPECT_GT(share("a"), early);
  clock_.advance(limits::kPeerReadmission);
  EXPECT_NEAR(share("a"), 33, 5);
}

TEST_F(Balancing, EachFailureInARowDoublesThePause) {
  fail("a");
  fail("a");
  clock_.advance(limits::kPeerEjection + 1ms);
  EXPECT_EQ(share("a"), 0);
  clock_.advance(limits::kPeerEjection);
  EXPECT_GT(share("a", 20'000), -1);
}

TEST_F(Balancing, WhereAllHaveFailedAllAreTried) {
  for (const char* node : {"a", "b", "c"}) fail(node);
  EXPECT_NEAR(share("b"), 33, 5);
}

}  // namespace
}  // namespace hotswap::forward
