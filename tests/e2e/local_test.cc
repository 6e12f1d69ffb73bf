// `hotswap run`: one file without a server.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "child.h"
#include "net/client.h"

namespace hotswap::e2e {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(RunTest, PrintsAResultAsOneLineOfJson) {
  const auto ended = run({"run", sample("c-add"), "--invoke", "add", "2", "3"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.out, "5\n");
}

TEST(RunTest, CallsComponentsFromEveryLanguage) {
  EXPECT_EQ(run({"run", sample("c-component"), "--invoke", "echo-string", "häh"}).out, "\"häh\"\n");
  EXPECT_EQ(run({"run", sample("counter-v1"), "--invoke", "increment", "a", "2"}).exit_code, 0);
}

TEST(RunTest, PassesStreamsArgumentsAndExitCodeThrough) {
  const auto ended = run({"run", sample("c-wasi"), "--env", "COLOR=blue", "--", "one", "two"}, "some input\n");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("one"));
  EXPECT_THAT(ended.out, HasSubstr("COLOR=blue"));
  EXPECT_EQ(run({"run", sample("test-guests"), "--invoke", "quit", "7"}).exit_code, 7);
}

TEST(RunTest, AGuestsFailureIsToldOnStandardError) {
  const auto ended = run({"run", sample("test-guests"), "--invoke", "trap"});
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("Trap"));
  const auto slow = run({"run", sample("test-guests"), "--timeout", "1", "--invoke", "spin"});
  EXPECT_EQ(slow.exit_code, 3);
  EXPECT_THAT(slow.err, HasSubstr("--timeout"));
}

TEST(RunTest, WrongUseSaysWhatToDo) {
  EXPECT_THAT(run({"run", sample("c-add")}).err, HasSubstr("--invoke"));
  EXPECT_THAT(run({"run", sample("c-http-hello-v1")}).err, HasSubstr("--listen"));
  EXPECT_THAT(run({"run", "/nowhere.wasm"}).err, HasSubstr("/nowhere.wasm"));
  EXPECT_THAT(run({"run", sample("c-add"), "--dir", "/nowhere::/x", "--invoke", "add"}).err, HasSubstr("/nowhere"));
  EXPECT_EQ(run({"run", sample("c-add"), "--listen", "127.0.0.1:0", "--invoke", "add"}).exit_code, 2);
}

TEST(RunTest, ServesAnHttpHandlerOfEitherVersion) {
  for (const std::string name : {"c-http-hello", "c-http-p3-hello"}) {
    Child child({"run", sample(name), "--listen", "127.0.0.1:0", "--instances", "16"});
    std::string url = child.err_line();
#if __has_feature(thread_sanitizer)
    while (url.find("llvm-symbolizer") != std::string::npos) url = child.err_line();  // of a suppressed report
#endif
    ASSERT_THAT(url, MatchesRegex("http://127.0.0.1:[0-9]+/"));
    url.pop_back();
    asio::io_context io;
    auto reply = asio::co_spawn(
        io,
        [url]() -> Task<Result<net::ClientResponse>> {
          const auto client = *net::Client::create(co_await asio::this_coro::executor, url);
          co_return co_await client->send({.target = "/"});
        },
        asio::use_future);
    io.run();
    const auto got = reply.get();
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_EQ(got->status, 200);
    EXPECT_THAT(got->body, HasSubstr("Hello"));
    child.send(SIGTERM);
    EXPECT_EQ(child.wait().exit_code, 0);
  }
}

}  // namespace
}  // namespace hotswap::e2e
