// What the sandbox refuses guests that reach for the network and for disk (samples/hostile-*), and what it reports of
// it. With servers, certificates, metrics and the log: tests/hostile.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/limits.h"
#include "sandbox/wasm/test_guests.h"
#include "sandbox/wasm/wasm_workload.h"

namespace hotswap::wasm {
namespace {

using namespace std::chrono_literals;
class IsolationTest : public testing::Test {
 protected:
  IsolationTest() : folder_(testing::TempDir() + "hotswap-isolation-XXXXXX") { ::mkdtemp(folder_.data()); }
  ~IsolationTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<WasmWorkload> load(const std::string& sample, Grant grant) {
    grant.max_memory_bytes = 64 * limits::kMiB;
    grant.max_output_bytes = limits::kMiB;
    if (grant.outbound.max_sent_bytes == 0) grant.outbound = {100, limits::kMiB, limits::kMiB};
    auto image = test_engine().link(test_code(sample), ENG_LINK_WASI | ENG_LINK_SOCKETS | ENG_LINK_HTTP);
    EXPECT_TRUE(image) << image.error().detail;
    const CallBudget budget{.wall = 120s, .cpu_percent = 100, .cpu_window = limits::kCpuWindow};
    return std::make_unique<WasmWorkload>(std::move(*image), std::move(grant), budget, 100, false, aside_);
  }

  // A grant of the test's folder, with bounds on it.
  [[nodiscard]] Grant disk(std::uint64_t bytes, std::uint64_t entries, bool writable = true) const {
    Grant grant;
    grant.directories = {{folder_, "/data", writable}};
    grant.quota = {folder_, bytes, entries};
    return grant;
  }

  CallOutcome call(WasmWorkload& workload, std::string_view function, std::string_view params,
                   std::string_view via = {}) {
    auto future = asio::co_spawn(io_, workload.invoke({.function = function, .params = params, .via = via}, nullptr),
                                 asio::use_future);
    io_.restart();
    io_.run();
    auto outcome = future.get();
    EXPECT_TRUE(outcome) << outcome.error().detail;
    if (outcome) EXPECT_FALSE(outcome->failure) << outcome->message;
    return outcome ? *outcome : CallOutcome{};
  }

  // The result, and the only kind of refusal that there was.
  void expect(const CallOutcome& outcome, std::string_view value, RefusalKind kind) {
    EXPECT_EQ(outcome.value, value);
    ASSERT_EQ(outcome.refusals.size(), 1);
    EXPECT_EQ(outcome.refusals[0].kind, kind);
  }

  std::string folder_;
  asio::io_context io_{1};
  Aside aside_{1};
};

TEST_F(IsolationTest, AHostThatIsNotListedIsRefused) {
  const auto guest = load("hostile-net", {.network = Network::listed, .hosts = {"example.com", "*.example.org:443"}});
  const auto outcome = call(*guest, "fetch", R"([false,"localhost:1","/",0,1])");
  expect(outcome, R"({"err":"HTTP-request-denied"})", RefusalKind::Host);
  EXPECT_EQ(outcome.refusals[0].first, "localhost:1");
  EXPECT_EQ(outcome.refusals[0].count, 1);
  expect(call(*guest, "look-up", R"(["localhost"])"), R"({"err":"access-denied"})", RefusalKind::Host);
}

TEST_F(IsolationTest, AnAddressThatIsNotPublicIsRefusedUnlessItIsListed) {
  const auto open = load("hostile-net", {.network = Network::open});
  for (const std::string_view host : {"127.0.0.1", "localhost", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]",
                                      "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "0.0.0.0"}) {
    SCOPED_TRACE(host);
    expect(call(*open, "fetch", "[false,\"" + std::string(host) + ":1\",\"/\",0,1]"),
           R"({"err":"destination-IP-prohibited"})", RefusalKind::Address);
  }
  expect(call(*open, "connect", R"([{"ipv4":{"port":1,"address":[127,0,0,1]}}])"), R"({"err":"access-denied"})",
         RefusalKind::Address);
  const auto listed = load("hostile-net", {.network = Network::open, .hosts = {"localhost"}});
  // Nobody listens there, but it was tried.
  EXPECT_EQ(call(*listed, "fetch", R"([false,"localhost:1","/",0,1])").value, R"({"err":"connection-refused"})");
}

TEST_F(IsolationTest, ARequestThatHasBeenThroughTooManyCallsIsRefused) {
  const auto guest = load("hostile-net", {.network = Network::listed, .hosts = {"127.0.0.1"}});
  constexpr std::string_view kParams = R"([false,"127.0.0.1:1","/",0,1])";
  const auto seventh = "a.example, hotswap,hotswap;x, HotSwap,hotswap,hotswap,hotswap,hotswap";
  EXPECT_EQ(call(*guest, "fetch", kParams, seventh).value, R"({"err":"connection-refused"})");
  expect(call(*guest, "fetch", kParams, std::string(seventh) + ",hotswap"), R"({"err":"loop-detected"})",
         RefusalKind::Recursion);
}

TEST_F(IsolationTest, ACallHasSoManyRequests) {
  const auto guest = load(
      "hostile-net", {.network = Network::listed, .hosts = {"127.0.0.1"}, .outbound = {0, limits::kMiB, limits::kMiB}});
  expect(call(*guest, "fetch", R"([false,"127.0.0.1:1","/",0,1])"), R"({"err":"connection-limit-reached"})",
         RefusalKind::Requests);
  expect(call(*guest, "connect", R"([{"ipv4":{"port":1,"address":[127,0,0,1]}}])"), R"({"err":"access-denied"})",
         RefusalKind::Requests);
}

TEST_F(IsolationTest, AFolderTakesNoMoreThanItMay) {
  for (const std::string sample : {"hostile-files-p1", "hostile-files"}) {
    SCOPED_TRACE(sample);
    const auto guest = load(sample, disk(limits::kMiB, 20));
    EXPECT_EQ(call(*guest, "fill", "[0,512]").value, "0");
    expect(call(*guest, "fill", "[1,2048]"), "51", RefusalKind::Quota);
    EXPECT_LE(std::filesystem::file_size(folder_ + "/fill1"), 512 * limits::kKiB);
    EXPECT_EQ(call(*guest, "overwrite", "[1]").value, "51");
    std::filesystem::remove(folder_ + "/fill1");
    // Seen within moments.
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (call(*guest, "fill", "[0,512]").value != "0") ASSERT_LT(std::chrono::steady_clock::now(), until);
    expect(call(*guest, "make", "[0,100]"), "17", RefusalKind::Quota);
    EXPECT_EQ(call(*guest, "unmake", "[100]").value, "17");
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
  }
}

TEST_F(IsolationTest, NoPathLeadsOutOfTheFolder) {
  constexpr int kWays = 14;
  for (const std::string sample : {"hostile-files-p1", "hostile-files"}) {
    const auto guest = load(sample, disk(limits::kMiB, 100));
    for (int way = 0; way < kWays; ++way) {
      SCOPED_TRACE(sample + " " + std::to_string(way));
      expect(call(*guest, "escape", "[" + std::to_string(way) + "]"), "63", RefusalKind::Path);
    }
    const auto reader = load(sample, disk(limits::kMiB, 100, false));
    expect(call(*reader, "forbidden", "[]"), "63", RefusalKind::Path);
  }
}

TEST_F(IsolationTest, Wasi03IsHeldToTheSame) {
  auto grant = disk(limits::kMiB, 20);
  grant.network = Network::open;
  const auto guest = load("hostile-p3", std::move(grant));
  expect(call(*guest, "fetch", R"([false,"127.0.0.1:1","/"])"), R"({"err":"destination-IP-prohibited"})",
         RefusalKind::Address);
  EXPECT_EQ(call(*guest, "fill", "[0,512]").value, R"({"ok":null})");
  expect(call(*guest, "fill", "[1,2048]"), R"({"err":"insufficient-space"})", RefusalKind::Quota);
  expect(call(*guest, "make", "[100]"), R"({"err":"insufficient-space"})", RefusalKind::Quota);
  expect(call(*guest, "open", R"(["../../etc/passwd"])"), R"({"err":"not-permitted"})", RefusalKind::Path);
}

}  // namespace
}  // namespace hotswap::wasm
