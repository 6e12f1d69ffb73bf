// What a guest makes the host hold for it, which the limit on its own memory does not see: handles, arguments, results.
#include "attack.h"

namespace hotswap::hostile {
namespace {

TEST_F(AttackTest, HandlesThatAreNeverDroppedEnd) {
  deploy("hostile-component", {"--dir", "/data"});
  (void)expect_ended("hostile-component", "timers", "[1000000]", "Trap", "handles");
  (void)expect_ended("hostile-component", "streams", "[1000000]", "Trap", "handles");
  (void)expect_ended("hostile-component", "files", "[1000000]", "Trap", "handles");
  deploy("hostile-preview1", {"--dir", "/data"});
  (void)expect_ended("hostile-preview1", "open_many", "[1000000]", "Trap", "handles");
  (void)expect_ended("hostile-preview1", "poll_many", "[1000000]", "Trap", "handles");
}

TEST_F(AttackTest, HandlesThatHoldMuchEndBeforeTheHostDoes) {
  deploy("hostile-component");
  (void)expect_ended("hostile-component", "field-sets", "[1000000]", "Trap", "handles");
  (void)expect_ended("hostile-component", "bodies", "[1000000]", "Trap", "handles");
}

TEST_F(AttackTest, LargeArgumentsOfAHostCallEndIt) {
  deploy("hostile-component");
  (void)expect_ended("hostile-component", "header-list", "[100000,10000]", "Trap", "transfer");
  (void)expect_ended("hostile-component", "poll-one-often", "[1000000]", "Trap", "handles");
  (void)expect_ended("hostile-component", "random-bytes", "[6000000000]", "Trap", "random");
  (void)expect_ended("hostile-component", "field-values", "[100000,1000]", "Trap", "fields");
}

TEST_F(AttackTest, LargeResultsEndACall) {
  deploy("hostile-component");
  (void)expect_ended("hostile-component", "bytes", "[3000000]", "OutputTooLarge", "output");
  (void)expect_ended("hostile-component", "strings", "[1000,10000]", "OutputTooLarge", "output");
  (void)expect_ended("hostile-component", "strings", "[1000000,1000]", "Trap", "transfer");
}

TEST_F(AttackTest, LargeParametersAreRefusedOrFitTheGuest) {
  deploy("hostile-component", {"--memory", "32"});
  // Nested deeper, and larger, than a request may be.
  const auto deep = execute("hostile-component", "echo", std::string(100'000, '[') + std::string(100'000, ']'));
  EXPECT_EQ(deep.status, 400U);
  const auto large = execute("hostile-component", "echo", R"([[")" + std::string(5 << 20, 'x') + R"("]])");
  EXPECT_EQ(large.status, 413U);
  // A list of what it does not take.
  std::string numbers = "0";
  for (int i = 0; i < 500'000; ++i) numbers += ",1e300";
  const auto mismatched = execute("hostile-component", "echo", "[[" + numbers + "]]");
  EXPECT_EQ(mismatched.status, 400U);
  EXPECT_LT(json::serialize(mismatched.body).size(), 4096U);
  // As many strings as a request holds: they are the guest's own memory then.
  std::string strings = R"("")";
  for (int i = 1; i < 1'000'000; ++i) strings += R"(,"")";
  EXPECT_EQ(expect_answered("hostile-component", "echo", "[[" + strings + "]]"), 1'000'000);
  expect_neighbour_served();
}

}  // namespace
}  // namespace hotswap::hostile
