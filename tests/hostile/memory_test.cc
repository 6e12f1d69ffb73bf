// More memory, and more stack, than a module may have.
#include <gmock/gmock.h>

#include "attack.h"

namespace hotswap::hostile {
namespace {

TEST_F(AttackTest, GrowthInOneMemoryAndInSeveralIsOneSum) {
  deploy("hostile-memories", {"--memory", "16"});
  for (const std::string function : {"grow_one", "grow_all", "grow_at_once"}) {
    const auto body = expect_ended("hostile-memories", function, "[]", "OutOfMemory", "maxMemoryMB");
    EXPECT_LE(body.at("memoryUsedBytes").to_number<double>(), 16 << 20) << function;
  }
}

// A pooled table ends before a module's memory does, and its module is told so; `hotswap run` has no pool.
TEST_F(AttackTest, GrowthInTablesEnds) {
  constexpr int kTables = 2;
  constexpr int kElements = 20'000;
  deploy("hostile-memories", {"--memory", "16"});
  EXPECT_LE(expect_answered("hostile-memories", "grow_tables").to_number<int>(), kTables * kElements);
}

TEST_F(AttackTest, TheStackEndsWithAndWithoutCallsOfTheHost) {
  deploy("hostile-recursion");
  (void)expect_ended("hostile-recursion", "recurse", "[]", "Trap", "stack");
  (void)expect_ended("hostile-recursion", "recurse_asking", "[]", "Trap", "stack");
  // A stack that the guest keeps in its memory ends there.
  deploy("hostile-preview1");
  (void)expect_ended("hostile-preview1", "recurse_asking", "[100000000]", "Trap", "");
}

TEST_F(AttackTest, SharedMemoryOnWhichAThreadCouldWaitIsRefused) {
  try {
    deploy("hostile-waits");
    FAIL() << "it was deployed";
  } catch (const std::runtime_error& refused) {
    EXPECT_THAT(refused.what(), testing::HasSubstr("shared"));
  }
  expect_neighbour_served();
}

}  // namespace
}  // namespace hotswap::hostile
