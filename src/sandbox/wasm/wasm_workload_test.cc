// Calls of real guests (samples/test-guests, c-add, c-component) through the sandbox.
#include "sandbox/wasm/wasm_workload.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <filesystem>
#include <thread>

#include "base/limits.h"
#include "sandbox/wasm/test_guests.h"

namespace hotswap::wasm {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class WasmWorkloadTest : public testing::Test {
 protected:
  std::unique_ptr<WasmWorkload> load(const std::string& sample, Grant grant = {}, CallBudget budget = generous(),
                                     int concurrent = 100) {
    if (grant.max_memory_bytes == 0) grant.max_memory_bytes = 64 * limits::kMiB;
    if (grant.max_output_bytes == 0) grant.max_output_bytes = limits::kMiB;
    auto image = test_engine().link(test_code(sample), ENG_LINK_WASI | ENG_LINK_SOCKETS | ENG_LINK_HTTP);
    EXPECT_TRUE(image) << image.error().detail;
    return std::make_unique<WasmWorkload>(std::move(*image), std::move(grant), budget, concurrent, false, aside_);
  }

  static CallBudget generous() { return {.wall = 60s, .cpu_percent = 100, .cpu_window = limits::kCpuWindow}; }

  Result<CallOutcome> call(WasmWorkload& workload, std::string_view function, std::string_view params = "[]",
                           BytesEncoding bytes = BytesEncoding::array) {
    auto future = asio::co_spawn(
        io_, workload.invoke({.function = function, .params = params, .bytes = bytes}, nullptr), asio::use_future);
    io_.restart();
    io_.run();
    return future.get();
  }

  // The outcome of a call that the platform must not refuse.
  CallOutcome outcome(WasmWorkload& workload, std::string_view function, std::string_view params = "[]") {
    auto result = call(workload, function, params);
    EXPECT_TRUE(result) << result.error().detail;
    return result ? *result : CallOutcome{};
  }

  asio::io_context io_{1};
  Aside aside_{1};
};

TEST_F(WasmWorkloadTest, CallsACoreFunctionWithJson) {
  const auto add = load("c-add");
  const auto result = outcome(*add, "add", "[2,3]");
  EXPECT_FALSE(result.failure) << result.message;
  EXPECT_EQ(result.value, "5");
  EXPECT_GT(result.usage.wall.count(), 0);
  EXPECT_EQ(outcome(*add, "mul64", R"(["9007199254740993", 3])").value, R"("27021597764222979")");
  EXPECT_EQ(outcome(*add, "scale", R"(["Infinity", 2])").value, R"("Infinity")");
}

TEST_F(WasmWorkloadTest, NamesThePathOfAParameterThatDoesNotFit) {
  const auto add = load("c-add");
  const auto result = call(*add, "add", R"([1,"two"])");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kInvalid);
  ASSERT_EQ(result.error().fields.size(), 1);
  EXPECT_EQ(result.error().fields[0].field, "params[1]");
  EXPECT_THAT(result.error().fields[0].message, HasSubstr("expected i32"));
}

TEST_F(WasmWorkloadTest, ListsTheExportsWhenAFunctionIsUnknown) {
  const auto add = load("c-add");
  const auto result = call(*add, "subtract");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(result.error().detail, HasSubstr("add"));
}

TEST_F(WasmWorkloadTest, EveryCallHasAFreshInstance) {
  const auto guests = load("test-guests");
  EXPECT_EQ(outcome(*guests, "remember").value, "1");
  EXPECT_EQ(outcome(*guests, "remember").value, "1");
}

TEST_F(WasmWorkloadTest, ATrapComesWithItsBacktrace) {
  const auto guests = load("test-guests");
  const auto result = outcome(*guests, "divide", "[1,0]");
  EXPECT_EQ(result.failure, GuestFailure::Trap);
  EXPECT_THAT(result.message, HasSubstr("divide by zero"));
  EXPECT_THAT(result.backtrace, HasSubstr("divide"));
}

TEST_F(WasmWorkloadTest, StackExhaustionIsATrap) {
  const auto guests = load("test-guests");
  EXPECT_EQ(outcome(*guests, "recurse", "[100000000]").failure, GuestFailure::Trap);
}

TEST_F(WasmWorkloadTest, GrowingOverTheMemoryLimitIsOutOfMemory) {
  const auto guests = load("test-guests", {.max_memory_bytes = 8 * limits::kMiB});
  const auto result = outcome(*guests, "grow");
  EXPECT_EQ(result.failure, GuestFailure::OutOfMemory);
  EXPECT_LE(result.usage.peak_memory_bytes, 8 * limits::kMiB);
  EXPECT_GT(result.usage.peak_memory_bytes, 0u);
}

TEST_F(WasmWorkloadTest, AnInitialMemoryOverTheLimitIsOutOfMemory) {
  const auto guests = load("test-guests", {.max_memory_bytes = 1});
  EXPECT_EQ(outcome(*guests, "remember").failure, GuestFailure::OutOfMemory);
}

TEST_F(WasmWorkloadTest, ASpinningGuestEndsAtItsDeadline) {
  auto budget = generous();
  budget.wall = 50ms;
  const auto guests = load("test-guests", {}, budget);
  const auto result = outcome(*guests, "spin");
  EXPECT_EQ(result.failure, GuestFailure::Timeout);
  EXPECT_GT(result.usage.yields, 0u);
}

TEST_F(WasmWorkloadTest, ASpinningGuestDoesNotHoldUpOthersOnItsThread) {
  auto budget = generous();
  budget.wall = 2s;
  const auto guests = load("test-guests", {}, budget);
  const auto add = load("c-add");
  constexpr int kCalls = 20;  // a tick each, where nothing else wants the core
  bool spinning = true;
  int answered = 0;
  asio::co_spawn(io_, guests->invoke({.function = "spin", .params = "[]"}, nullptr),
                 [&](const std::exception_ptr&, Result<CallOutcome>) { spinning = false; });
  asio::co_spawn(
      io_,
      [&]() -> Task<void> {
        while (spinning && answered < kCalls) {
          (void)co_await add->invoke({.function = "add", .params = "[1,2]"}, nullptr);
          co_await asio::post(asio::use_awaitable);
          ++answered;
        }
      },
      asio::detached);
  io_.run();
  EXPECT_EQ(answered, kCalls);
}

TEST_F(WasmWorkloadTest, AVersionThatHoldsItsThreadUpIsKeptAside) {
  const auto guests = load("hostile-memories", {.max_memory_bytes = 128 * limits::kMiB});
  constexpr int kTurns = 100;
  // How often the thread turned to other work while the guest filled its memory, a thing that no tick interrupts.
  const auto turns_during_call = [&] {
    bool filling = true;
    int turns = 0;
    asio::co_spawn(io_, guests->invoke({.function = "fill", .params = "[1024,10]"}, nullptr),
                   [&](const std::exception_ptr&, const Result<CallOutcome>& outcome) {
                     EXPECT_TRUE(outcome && !outcome->failure);
                     filling = false;
                   });
    asio::co_spawn(
        io_,
        [&]() -> Task<void> {
          while (filling) {
            co_await asio::post(asio::use_awaitable);
            ++turns;
          }
        },
        asio::detached);
    io_.restart();
    io_.run();
    return turns;
  };
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (turns_during_call() < kTurns) ASSERT_LT(std::chrono::steady_clock::now(), until);
}

// Their own work would count as the guest's.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
// While this lives, the calling thread shares its core with one that wants all of it.
class SharedCore {
 public:
  SharedCore() {
    ::pthread_getaffinity_np(::pthread_self(), sizeof(before_), &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    ::pthread_setaffinity_np(::pthread_self(), sizeof(one), &one);
    // It begins with the affinity of who starts it.
    other_ = std::jthread([](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
      }
    });
  }
  ~SharedCore() { ::pthread_setaffinity_np(::pthread_self(), sizeof(before_), &before_); }
  SharedCore(const SharedCore&) = delete;
  SharedCore& operator=(const SharedCore&) = delete;

 private:
  cpu_set_t before_{};
  std::jthread other_;
};

TEST_F(WasmWorkloadTest, AGuestThatIsKeptFromItsCoreStaysOnItsThread) {
  const auto add = load("c-add");
  EXPECT_TRUE(outcome(*add, "add", "[1,2]").usage.aside);  // nobody knows the version yet
  const SharedCore with_another;
  // The kernel interrupts dozens of them, each for some milliseconds. By those alone the version would go aside, and
  // most of its calls with it.
  constexpr int kCalls = 50'000;
  constexpr int kMisjudged = 10;  // time that another machine has a core for counts as the guest's
  int aside = 0;
  for (int i = 0; i < kCalls; ++i) aside += outcome(*add, "add", "[1,2]").usage.aside ? 1 : 0;
  EXPECT_LE(aside, kMisjudged);
}
#endif

TEST_F(WasmWorkloadTest, ManyParametersAreReadAside) {
  const auto shapes = load("c-component");
  std::string params = "[[0";
  while (params.size() <= limits::kAsideBytes) params += ",1";
  params += "]]";
  const auto result = outcome(*shapes, "echo-bytes", params);
  EXPECT_FALSE(result.failure) << result.message;
  EXPECT_EQ("[" + result.value + "]", params);
  EXPECT_TRUE(result.usage.aside);
  params.insert(params.size() - 2, ",256");
  const auto refused = call(*shapes, "echo-bytes", params);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().fields.at(0).field, testing::StartsWith("params[0]["));
}

TEST_F(WasmWorkloadTest, TheCpuPercentageDelaysAGuestWithoutFailingIt) {
  // Less than it gets from a machine that is busy with other things.
  CallBudget budget{.wall = 60s, .cpu_percent = 4, .cpu_window = 10ms};
  const auto guests = load("test-guests", {}, budget);
  const auto result = outcome(*guests, "burn", "[100]");
  EXPECT_FALSE(result.failure) << result.message;
  EXPECT_GT(result.usage.throttled.count(), 0);
  EXPECT_GT(result.usage.wall, 15 * result.usage.cpu);
}

TEST_F(WasmWorkloadTest, OutputIsCapturedAndBounded) {
  const auto guests = load("test-guests", {.max_output_bytes = 16 * limits::kKiB});
  const auto small = outcome(*guests, "print", "[4]");
  EXPECT_FALSE(small.failure) << small.message;
  EXPECT_EQ(small.stdout_text.size(), 4 * limits::kKiB);
  EXPECT_EQ(outcome(*guests, "print", "[64]").failure, GuestFailure::OutputTooLarge);
  EXPECT_THAT(outcome(*guests, "complain").stderr_text, HasSubstr("standard error"));
}

TEST_F(WasmWorkloadTest, ExitIsTypedWithItsCode) {
  const auto guests = load("test-guests");
  const auto result = outcome(*guests, "quit", "[7]");
  EXPECT_EQ(result.failure, GuestFailure::Exit);
  EXPECT_EQ(result.exit_code, 7);
}

TEST_F(WasmWorkloadTest, RefusesCallsBeyondTheConcurrencyLimit) {
  auto budget = generous();
  budget.wall = 100ms;
  const auto guests = load("test-guests", {}, budget, 1);
  auto first = asio::co_spawn(io_, guests->invoke({.function = "spin", .params = "[]"}, nullptr), asio::use_future);
  auto second =
      asio::co_spawn(io_, guests->invoke({.function = "remember", .params = "[]"}, nullptr), asio::use_future);
  io_.run();
  EXPECT_EQ(first.get()->failure, GuestFailure::Timeout);
  const auto refused = second.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kTooManyRequests);
  EXPECT_EQ(outcome(*guests, "remember").value, "1");
}

TEST_F(WasmWorkloadTest, MapsEveryWitTypeBothWays) {
  const auto shapes = load("c-component");
  const std::vector<std::tuple<std::string, std::string, std::string>> cases{
      {"echo-bool", "[true]", "true"},
      {"echo-u8", "[255]", "255"},
      {"echo-s8", "[-128]", "-128"},
      {"echo-u64", R"(["18446744073709551615"])", R"("18446744073709551615")"},
      {"echo-s64", "[-9007199254740991]", "-9007199254740991"},
      {"echo-f64", R"(["NaN"])", R"("NaN")"},
      {"echo-f32", "[1.5]", "1.5"},
      {"echo-char", R"(["é"])", R"("é")"},
      {"echo-string", R"(["häl\"lo"])", R"("häl\"lo")"},
      {"echo-enum", R"(["dark-blue"])", R"("dark-blue")"},
      {"echo-flags", R"([["filled","drop-shadow"]])", R"(["filled","drop-shadow"])"},
      {"echo-option", "[null]", "null"},
      {"echo-option", "[7]", "7"},
      {"echo-option-option", R"([{"some":null}])", R"({"some":null})"},
      {"echo-option-option", R"([{"some":"x"}])", R"({"some":"x"})"},
      {"echo-result", R"([{"ok":1}])", R"({"ok":1})"},
      {"echo-result", R"([{"err":"no"}])", R"({"err":"no"})"},
      {"echo-result-empty", R"([{"ok":null}])", R"({"ok":null})"},
      {"echo-tuple", R"([[1,"a",true]])", R"([1,"a",true])"},
      {"echo-list", R"([["a","b"]])", R"(["a","b"])"},
      {"echo-bytes", R"([{"base64":"AQID"}])", "[1,2,3]"},
      {"echo-variant", R"(["nothing"])", R"("nothing")"},
      {"echo-variant", R"([{"circle":{"center":{"x":1,"y":2},"radius":3}}])",
       R"({"circle":{"center":{"x":1.0,"y":2.0},"radius":3.0}})"},
      {"echo-string", R"({"value":"by name"})", R"("by name")"},
      {"demo:shapes/geometry@1.0.0#unit-square", "[]",
       R"({"polygon":[{"x":0.0,"y":0.0},{"x":1.0,"y":0.0},{"x":1.0,"y":1.0},{"x":0.0,"y":1.0}]})"},
      {"geometry#area", R"(["nothing"])", R"({"err":"not-a-shape"})"},
  };
  for (const auto& [function, params, expected] : cases) {
    const auto result = outcome(*shapes, function, params);
    EXPECT_FALSE(result.failure) << function << ": " << result.message;
    EXPECT_EQ(json::parse(result.value.empty() ? "null" : result.value), json::parse(expected))
        << function << params << " gave " << result.value;
  }
  EXPECT_EQ(call(*shapes, "echo-bytes", "[[1,2,3]]", BytesEncoding::base64)->value, R"({"base64":"AQID"})");
}

TEST_F(WasmWorkloadTest, NamesThePathInsideAWitValue) {
  const auto shapes = load("c-component");
  const auto result = call(*shapes, "echo-variant", R"([{"circle":{"center":{"x":1,"y":"two"},"radius":3}}])");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().fields.at(0).field, "params[0].circle.center.y");
  const auto unknown = call(*shapes, "echo-variant", R"([{"circle":{"center":{"x":1,"y":2,"z":3},"radius":3}}])");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().detail, HasSubstr("z"));
}

TEST_F(WasmWorkloadTest, ACommandSeesOnlyWhatItIsGranted) {
  const auto image = test_engine().link(test_code("c-wasi"), ENG_LINK_WASI);
  ASSERT_TRUE(image);
  Grant grant{.max_memory_bytes = 16 * limits::kMiB, .max_output_bytes = limits::kMiB};
  grant.env = {{"GREETING", "hello"}};
  grant.args = {"tool", "one"};
  grant.stdin_bytes = "from stdin\n";
  auto linked = test_engine().link(test_code("c-wasi"), ENG_LINK_WASI);
  WasmWorkload workload(std::move(*linked), grant, generous(), 1, false, aside_);
  auto future = asio::co_spawn(io_, workload.run_command(), asio::use_future);
  io_.run();
  const auto result = future.get();
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_THAT(result->stdout_text, HasSubstr("GREETING=hello"));
  EXPECT_THAT(result->stdout_text, HasSubstr("one"));
  EXPECT_THAT(result->stdout_text, HasSubstr("from stdin"));
  EXPECT_THAT(result->stdout_text, Not(HasSubstr("PATH=")));
}

TEST(GrantTest, AllowedDirectoriesBecomePrivateFoldersOfTheModule) {
  const auto files = std::filesystem::path(testing::TempDir()) / "grant_test" / "files";
  ResourceLimits limits;
  limits.allowedDirectories = {"/data", "/tmp/work"};
  limits.filesystemAccess = FilesystemAccess::ReadWrite;
  const auto grant = grant_of(limits, files, {.max_output_bytes = 1, .cpu_window = 100ms});
  ASSERT_TRUE(grant);
  ASSERT_EQ(grant->directories.size(), 2);
  EXPECT_EQ(grant->directories[1].host, (files / "tmp/work").string());
  EXPECT_EQ(grant->directories[1].guest, "/tmp/work");
  EXPECT_TRUE(grant->directories[1].writable);
  // One bound for both.
  EXPECT_EQ(grant->quota.folder, files.string());
  EXPECT_EQ(grant->quota.max_bytes, 64 * limits::kMiB);
  EXPECT_EQ(grant->quota.max_entries, 10'000);
  EXPECT_TRUE(std::filesystem::is_directory(files / "data"));
  std::filesystem::remove_all(files.parent_path());
}

TEST(GrantTest, ACopyOfARequestMayDoLess) {
  Grant grant;
  grant.env = {{"NAME", "value"}};
  grant.directories = {{"/host", "/guest", true}};
  grant.network = Network::listed;
  grant.hosts = {"example.org"};
  const Grants grants(grant);
  EXPECT_EQ(grants.get().network, static_cast<std::uint32_t>(Network::listed));
  EXPECT_TRUE(grants.get().directories[0].writable);
  const eng_grants& outbound = grants.get(Effects::outbound);
  EXPECT_EQ(outbound.network, static_cast<std::uint32_t>(Network::listed));
  EXPECT_EQ(outbound.hosts_count, 1U);
  EXPECT_FALSE(outbound.directories[0].writable);
  EXPECT_EQ(view(grants.get(Effects::outbound, "hotswap").outbound.via), "hotswap");
  const eng_grants& none = grants.get(Effects::none);
  EXPECT_EQ(none.network, static_cast<std::uint32_t>(Network::none));
  ASSERT_EQ(none.directories_count, 1U);
  EXPECT_FALSE(none.directories[0].writable);
  EXPECT_EQ(none.env_count, 1U);
}

TEST(GrantTest, NothingIsGrantedByDefault) {
  const auto grant = grant_of(ResourceLimits{}, "/nowhere", {.max_output_bytes = 1, .cpu_window = 100ms});
  ASSERT_TRUE(grant);
  EXPECT_TRUE(grant->directories.empty());
  EXPECT_TRUE(grant->env.empty());
  EXPECT_EQ(grant->network, Network::none);
}

}  // namespace
}  // namespace hotswap::wasm
