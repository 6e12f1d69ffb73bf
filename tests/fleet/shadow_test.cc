// A version that gets copies of live requests on three node processes, before it is in the traffic.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <thread>

#include "fleet/load.h"
#include "fleet/three_nodes.h"
#include "net/client.h"

namespace hotswap::e2e {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::UnorderedElementsAre;

const std::string kBody(10'000, 'x');
// Three tries to find enough compared, three seconds apart; then a person would be asked.
const std::string kBriefly = R"("holdSeconds": 3, "minimumRequests": 10)";
constexpr int kNotCompleted = 5;  // exit code of --watch

// Exports what the sample c-add does: add(i32, i32) -> i32 with another body, mul64 and scale, which trap.
std::string module_with(const std::string& body) {
  std::string bytes("\0asm\x01\0\0\0", 8);
  bytes += "\x01\x13\x03\x60\x02\x7f\x7f\x01\x7f\x60\x02\x7e\x7e\x01\x7e\x60\x02\x7c\x7c\x01\x7c";
  bytes += std::string("\x03\x04\x03\0\x01\x02", 6);
  bytes += "\x07\x17\x03\x03";
  bytes += "add";
  bytes += std::string("\0\0\x05", 3);
  bytes += "mul64";
  bytes += std::string("\0\x01\x05", 3);
  bytes += "scale";
  bytes += std::string("\0\x02\x0a", 3);
  bytes += static_cast<char>(body.size() + 3 + 8);
  bytes += '\x03';
  bytes += static_cast<char>(body.size() + 1);
  bytes += '\0';
  return bytes + body + std::string("\x03\0\0\x0b\x03\0\0\x0b", 8);
}
const std::string kMultiplies("\x20\0\x20\x01\x6c\x0b", 6);
const std::string kTraps("\0\x0b", 2);
// While the first parameter is not 0.
const std::string kLoops("\x03\x40\x20\0\x0d\0\x0b\x41\x05\x0b", 10);

class Shadow : public ThreeNodes {
 protected:
  Shadow() { control_.release("c-add", "add", "1.0.0"); }
  void push_body(const std::string& body) const {
    const std::string file = folder_.path() + "/next.wasm";
    std::ofstream(file, std::ios::binary) << module_with(body);
    push(file, "add");
  }
  void push(const std::string& file, const std::string& name) const {
    control_.hotswap({"module", "push", file, "--name", name, "--version", "2.0.0"});
  }
  [[nodiscard]] Child::Ended deploy(const std::string& name, const std::string& settings) const {
    return run({"--server", control_.api(), "deploy", name + "@2.0.0", "--watch", "--config-json",
                R"({"shadow": {"percent": 100, )" + settings + "}}"});
  }
  // The newest deployment of the module.
  [[nodiscard]] json::value deployment(const std::string& name) const {
    const auto list = ask(control_.api(), "GET", "/api/v1/wasm/deployments?module=" + name);
    return list.at("items").as_array().at(0);
  }
};

class Preview : public Shadow {};

TEST_F(Shadow, OfAVersionThatAnswersAlikeCompletesAndNoRequestFails) {
  push(sample("c-add"), "add");
  Load load(nodes_);
  const auto ended = deploy("add", kBriefly);
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  const auto tally = load.stop();
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
  const auto shadow = deployment("add").at("shadow");
  EXPECT_GE(shadow.at("compared").to_number<int>(), 10);
  EXPECT_EQ(shadow.at("mismatched"), 0);
  EXPECT_THAT(shadow.at("examples").as_array(), IsEmpty());
  EXPECT_TRUE(shadow.at("shadowP50Ms").is_double());
}

TEST_F(Shadow, OfAVersionThatAnswersOtherwiseIsTakenBackAndSaysWhatDiffers) {
  push_body(kMultiplies);
  Load load(nodes_);
  const auto ended = deploy("add", kBriefly);
  EXPECT_EQ(ended.exit_code, kNotCompleted) << ended.out << ended.err;
  const auto tally = load.stop();
  EXPECT_THAT(tally.answered, UnorderedElementsAre(Key("add-v1.0.0")));
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
  EXPECT_THAT(ended.out + ended.err, HasSubstr("add (returnValue): 5 became 6"));
  const auto rolled_back = deployment("add");
  EXPECT_EQ(rolled_back.at("status"), "RolledBack");
  EXPECT_THAT(std::string(rolled_back.at("errorMessage").as_string()), HasSubstr("add (returnValue): 5 became 6"));
  const auto example = rolled_back.at("shadow").at("examples").as_array().at(0);
  EXPECT_EQ(example.at("live"), "5");
  EXPECT_EQ(example.at("shadow"), "6");
  EXPECT_EQ(example.at("traceId").as_string().size(), 32U);
  const auto shown = control_.hotswap({"rollout", "show", std::string(rolled_back.at("deploymentId").as_string())});
  EXPECT_THAT(shown, HasSubstr("add (returnValue): 5 became 6"));
}

TEST_F(Shadow, OfAVersionThatTrapsTouchesNoAnswer) {
  push_body(kTraps);
  Load load(nodes_);
  const auto ended = deploy("add", kBriefly);
  EXPECT_EQ(ended.exit_code, kNotCompleted) << ended.out << ended.err;
  const auto tally = load.stop();
  EXPECT_THAT(tally.answered, UnorderedElementsAre(Key("add-v1.0.0")));
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
  EXPECT_THAT(ended.out + ended.err, HasSubstr("add (errorType): success became Trap"));
}

TEST_F(Shadow, OfAVersionThatNeverEndsTouchesNoAnswer) {
  push_body(kLoops);
  Load load(nodes_);
  const auto ended = deploy("add", R"("holdSeconds": 10, "minimumRequests": 3)");
  EXPECT_EQ(ended.exit_code, kNotCompleted) << ended.out << ended.err;
  const auto tally = load.stop();
  EXPECT_THAT(tally.answered, UnorderedElementsAre(Key("add-v1.0.0")));
  EXPECT_THAT(tally.failed, IsEmpty()) << tally.example;
  EXPECT_THAT(ended.out + ended.err, HasSubstr("add (latency)"));
}

// Requests to a handler without a pause, each with a body; what came back, as "STATUS BODY".
class Visits {
 public:
  Visits(std::string gateway, std::string target) {
    thread_ = std::thread([this, gateway = std::move(gateway), target = std::move(target)] {
      asio::io_context io{1};
      const auto client = *net::Client::create(io.get_executor(), gateway);
      while (!stopping_) {
        net::ClientRequest request;
        request.method = "POST";
        request.target = target;
        request.body = kBody;
        auto reply = asio::co_spawn(io, client->send(std::move(request)), asio::use_future);
        io.restart();
        io.run();
        const auto response = reply.get();
        answers_.insert(response ? std::to_string(response->status) + ' ' + response->body : response.error().detail);
      }
    });
  }
  ~Visits() { std::ignore = stop(); }
  Visits(const Visits&) = delete;
  Visits& operator=(const Visits&) = delete;
  std::set<std::string> stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return answers_;
  }

 private:
  std::atomic<bool> stopping_{false};
  std::set<std::string> answers_;  // of the thread, until it has ended
  std::thread thread_;
};

TEST_F(Shadow, OfAHandlerComparesStatusAndBody) {
  control_.release("c-http-hello-v1", "hello", "1.0.0");
  push(sample("c-http-hello-v2"), "hello");
  Visits visits(nodes_.front()->gateway(), "/m/hello/there?q=1");
  const auto ended = deploy("hello", kBriefly);
  EXPECT_EQ(ended.exit_code, kNotCompleted) << ended.out << ended.err;
  EXPECT_THAT(visits.stop(), UnorderedElementsAre("200 Hello from version 1\n"));
  EXPECT_THAT(ended.out + ended.err,
              HasSubstr(R"(POST /m/hello/there (body): "Hello from version 1\n" became "Hello from version 2\n")"));
}

TEST_F(Shadow, OfAHandlerThatReadsTheBodyGetsTheWholeOfIt) {
  control_.release("c-http-echo", "echo", "1.0.0");
  push(sample("c-http-echo"), "echo");
  Visits visits(nodes_.front()->gateway(), "/m/echo/");
  const auto ended = deploy("echo", kBriefly);
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  EXPECT_THAT(visits.stop(), UnorderedElementsAre("200 " + kBody));
  EXPECT_EQ(deployment("echo").at("shadow").at("mismatched"), 0);
}

// Of a GET; 0 where nobody answers.
unsigned status_of(const std::string& origin, const std::string& target) {
  asio::io_context io{1};
  const auto client = *net::Client::create(io.get_executor(), origin);
  net::ClientRequest request;
  request.target = target;
  auto reply = asio::co_spawn(io, client->send(std::move(request)), asio::use_future);
  io.run();
  const auto response = reply.get();
  return response ? response->status : 0;
}

TEST_F(Preview, OfTheFirstVersionOfANameAnswersBeforeAnythingIsRouted) {
  control_.hotswap({"module", "push", sample("c-http-hello"), "--name", "hello", "--version", "1.0.0"});
  const auto created = json::parse(
      control_.hotswap({"deploy", "hello@1.0.0", "--strategy", "blue-green", "--output", "json", "--config-json",
                        R"({"preview": {"pathPrefix": "/green/"}, "progression": "manual", "keepBlueSeconds": 0})"}));
  const std::string id(created.at("deploymentId").as_string());
  const auto everywhere = [&](const std::string& target, unsigned status) {
    return std::ranges::all_of(nodes_, [&](const auto& node) { return status_of(node->gateway(), target) == status; });
  };
  EXPECT_TRUE(eventually([&] { return everywhere("/green/", 200); }));
  EXPECT_TRUE(everywhere("/m/hello/", 404));
  EXPECT_TRUE(eventually([&] { return deployment("hello").at("step").to_number<int>() == 2; }));
  control_.hotswap({"rollout", "promote", id});
  EXPECT_TRUE(eventually([&] { return everywhere("/m/hello/", 200) && everywhere("/green/", 404); }));
}

}  // namespace
}  // namespace hotswap::e2e
