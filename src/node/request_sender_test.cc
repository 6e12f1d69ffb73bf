#include "node/request_sender.h"

#include <gtest/gtest.h>

namespace hotswap::node {
namespace {

TEST(Cookies, AreFoundByTheirWholeName) {
  EXPECT_EQ(cookie("a=1; user=ann; b=2", "user"), "ann");
  EXPECT_EQ(cookie("user=ann", "user"), "ann");
  EXPECT_EQ(cookie("superuser=bob; user2=eve", "user"), "");
  EXPECT_EQ(cookie("user", "user"), "");
  EXPECT_EQ(cookie("", "user"), "");
}

}  // namespace
}  // namespace hotswap::node
