// `hotswap up`: register, deploy, execute, swap, roll back, restart.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "child.h"
#include "net/client.h"

namespace hotswap::e2e {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

// One client on a thread of its own context.
class Browser {
 public:
  explicit Browser(const std::string& origin) : client_(*net::Client::create(io_.get_executor(), origin)) {}
  net::ClientResponse send(net::ClientRequest request) {
    auto future = asio::co_spawn(io_, client_->send(std::move(request)), asio::use_future);
    io_.restart();
    io_.run();
    auto result = future.get();
    if (!result) throw std::runtime_error(result.error().detail);
    return std::move(*result);
  }
  net::ClientResponse get(const std::string& target) { return send({.target = target}); }
  json::value execute(const json::value& body) {
    return json::parse(send({.method = "POST", .target = "/api/v1/wasm/execute", .body = json::serialize(body)}).body);
  }

 private:
  asio::io_context io_{1};
  std::unique_ptr<net::Client> client_;
};

class UpTest : public testing::Test {
 protected:
  Folder data_;
  std::unique_ptr<Server> server_ = std::make_unique<Server>(data_.path());
};

TEST_F(UpTest, RegistersDeploysAndExecutes) {
  server_->release("c-add", "add", "1.0.0");
  Browser api(server_->api());
  for (const std::string& origin : {server_->api(), server_->gateway()}) {
    Browser browser(origin);
    const auto result = browser.execute({{"module", "add"}, {"function", "add"}, {"params", {2, 3}}});
    EXPECT_EQ(result.at("success"), true);
    EXPECT_EQ(result.at("returnValue"), 5);
    EXPECT_EQ(result.at("moduleId"), "add-v1.0.0");
    EXPECT_EQ(result.at("nodeId"), "local");
    EXPECT_EQ(result.at("traceId").as_string().size(), 32);
  }
  EXPECT_EQ(server_->hotswap({"invoke", "add@1.0.0", "add", "40", "2"}), "42\n");
}

TEST_F(UpTest, AGuestsFailureIsAResultAndAPlatformFailureAProblem) {
  server_->release("test-guests", "guests", "1.0.0");
  Browser browser(server_->gateway());
  const auto trap = browser.execute({{"module", "guests"}, {"function", "divide"}, {"params", {1, 0}}});
  EXPECT_EQ(trap.at("success"), false);
  EXPECT_EQ(trap.at("errorType"), "Trap");
  EXPECT_THAT(std::string(trap.at("backtrace").as_string()), HasSubstr("divide"));

  const auto problem = [&](const std::string& body, unsigned status) {
    const auto reply = browser.send({.method = "POST", .target = "/api/v1/wasm/execute", .body = body});
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_EQ(reply.header("content-type"), "application/problem+json");
    return json::parse(reply.body);
  };
  EXPECT_EQ(problem(R"({"module":"nobody","function":"f"})", 404).at("title"), "Not Found");
  EXPECT_EQ(problem(R"({"module":"guests","function":"divide","params":[1]})", 400).at("errors").as_array().size(), 1);
  EXPECT_EQ(problem(R"({"module":"guests","function":"f","colour":1})", 400).at("errors").at(0).at("field"), "colour");
  EXPECT_EQ(problem(R"({"function":"f"})", 400).at("errors").at(0).at("field"), "module");
  EXPECT_THAT(std::string(problem("{", 400).at("detail").as_string()), HasSubstr("JSON"));
  EXPECT_EQ(problem(R"({"module":"guests","function":"divide","region":"mars"})", 404).at("status"), 404);
}

TEST_F(UpTest, StreamsBodiesAndTellsWhatWentWrong) {
  server_->release("c-http-echo", "echo", "1.0.0");
  Browser browser(server_->gateway());
  const std::string large(3'000'000, 'x');
  const auto echoed = browser.send({.method = "POST", .target = "/m/echo/", .body = large});
  EXPECT_EQ(echoed.status, 200);
  EXPECT_EQ(echoed.body, large);
  EXPECT_EQ(browser.get("/m/echo/chunks?n=100").body.size(), 102'400);
  EXPECT_EQ(browser.get("/m/echo/status?code=418").status, 418);
  EXPECT_THAT(browser.get("/m/echo/headers").body, HasSubstr("x-forwarded-prefix: /m/echo"));
  EXPECT_THAT(browser.get("/m/echo/env").body, testing::Not(HasSubstr("PATH=")));
  EXPECT_EQ(browser.get("/m/echo/trap").status, 502);
  EXPECT_EQ(browser.get("/m/echo/silent").status, 502);
  EXPECT_EQ(browser.get("/m/nobody/").status, 404);
}

TEST_F(UpTest, SwapsUnderLoadWithoutAFailedRequest) {
  server_->hotswap({"module", "push", sample("c-http-hello-v1"), "--name", "hello", "--version", "1.0.0"});
  server_->hotswap({"module", "push", sample("c-http-hello-v2"), "--name", "hello", "--version", "2.0.0"});
  server_->hotswap({"deploy", "hello@1.0.0", "--watch"});
  std::atomic<bool> ending{false};
  std::atomic<int> first{0};
  std::atomic<int> second{0};
  std::atomic<int> failed{0};
  std::vector<std::thread> users;
  for (int i = 0; i < 4; ++i) {
    users.emplace_back([&] {
      Browser browser(server_->gateway());
      while (!ending) {
        const auto reply = browser.get("/m/hello/");
        if (reply.status != 200) ++failed;
        ++(reply.body.find("version 1") != std::string::npos ? first : second);
      }
    });
  }
  for (int swap = 0; swap < 10; ++swap) {
    server_->hotswap({"deploy", swap % 2 == 0 ? "hello@2.0.0" : "hello@1.0.0", "--watch"});
  }
  ending = true;
  for (auto& user : users) user.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(first, 0);
  EXPECT_GT(second, 0);
}

TEST_F(UpTest, AnHttpHandlerIsCheckedByItsPathBeforeItServes) {
  server_->hotswap({"module", "push", sample("c-http-hello-v1"), "--name", "hello", "--version", "1.0.0"});
  server_->hotswap({"module", "push", sample("c-http-hello-v2"), "--name", "hello", "--version", "2.0.0"});
  server_->hotswap({"deploy", "hello@1.0.0", "--health-path", "/health", "--watch"});
  const auto refused = run({"--server", server_->api(), "deploy", "hello@2.0.0", "--health-path", "/health",
                            "--health-status", "204", "--watch"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.out + refused.err, HasSubstr("expected status 204, got 200"));
  Browser browser(server_->gateway());
  EXPECT_THAT(browser.get("/m/hello/").body, HasSubstr("version 1"));
  server_->release("c-add", "add", "1.0.0");
  const auto none = run({"--server", server_->api(), "deploy", "add@1.0.0", "--health-path", "/health"});
  EXPECT_THAT(none.err, HasSubstr("no HTTP handler"));
}

TEST_F(UpTest, ARequestInFlightEndsOnTheVersionThatItBeganWith) {
  server_->release("c-http-echo", "app", "1.0.0");
  server_->hotswap({"module", "push", sample("c-http-hello-v2"), "--name", "app", "--version", "2.0.0"});
  // Its body comes in two pieces; between them the version is swapped.
  std::atomic<bool> swapped{false};
  std::atomic<bool> begun{false};
  std::string got;
  std::thread user([&] {
    Browser browser(server_->gateway());
    int piece = 0;
    net::ClientRequest request{.method = "POST", .target = "/m/app/"};
    request.body_source = [&](std::span<std::byte> into) -> Result<std::size_t> {
      if (piece == 2) return 0;
      if (piece == 1) {
        begun = true;
        swapped.wait(false);
      }
      ++piece;
      into[0] = static_cast<std::byte>('0' + piece);
      return 1;
    };
    got = browser.send(std::move(request)).body;
  });
  while (!begun) std::this_thread::yield();
  server_->hotswap({"deploy", "app@2.0.0", "--watch"});
  EXPECT_THAT(Browser(server_->gateway()).get("/m/app/").body, HasSubstr("version 2"));
  swapped = true;
  swapped.notify_all();
  user.join();
  EXPECT_EQ(got, "12");
}

TEST_F(UpTest, RollsBackToTheRoutesBefore) {
  server_->release("c-http-hello-v1", "hello", "1.0.0");
  Browser api(server_->api());
  const auto before = api.get("/api/v1/wasm/routes").body;
  server_->release("c-http-hello-v2", "hello", "2.0.0");
  const auto deployments = json::parse(api.get("/api/v1/wasm/deployments?limit=1").body);
  const std::string id(deployments.at("items").at(0).at("deploymentId").as_string());
  server_->hotswap({"rollout", "rollback", id, "--watch"});
  EXPECT_THAT(Browser(server_->gateway()).get("/m/hello/").body, HasSubstr("version 1"));
  EXPECT_EQ(json::parse(api.get("/api/v1/wasm/routes").body).at("items"), json::parse(before).at("items"));
}

TEST_F(UpTest, ServesTheSameAfterAKillAndARestart) {
  server_->release("c-http-hello-v1", "hello", "1.0.0");
  server_->release("c-add", "add", "1.0.0");
  server_->child().send(SIGKILL);
  EXPECT_EQ(server_->child().wait().exit_code, 128 + SIGKILL);
  server_ = std::make_unique<Server>(data_.path());
  EXPECT_THAT(Browser(server_->gateway()).get("/m/hello/").body, HasSubstr("version 1"));
  EXPECT_EQ(server_->hotswap({"invoke", "add", "add", "1", "1"}), "2\n");
}

TEST_F(UpTest, DrainsOnSigtermAndExitsWithZero) {
  server_->release("c-http-echo", "echo", "1.0.0");
  std::atomic<bool> sent{false};
  unsigned status = 0;
  std::thread user([&] {
    Browser browser(server_->gateway());
    browser.get("/m/echo/");
    sent = true;
    status = browser.get("/m/echo/sleep?ms=300").status;
  });
  while (!sent) std::this_thread::yield();
  // The sleeping request is in flight once the node counts it as begun; a request to another connection orders that.
  Browser(server_->gateway()).get("/m/echo/");
  server_->child().send(SIGTERM);
  EXPECT_EQ(server_->child().wait().exit_code, 0);
  user.join();
  EXPECT_EQ(status, 200);
}

TEST_F(UpTest, ExposesHealthAndMetrics) {
  server_->release("c-add", "add", "1.0.0");
  server_->hotswap({"invoke", "add", "add", "1", "1"});
  Browser api(server_->api());
  EXPECT_EQ(api.get("/health/live").status, 200);
  EXPECT_EQ(api.get("/health/ready").status, 200);
  const auto metrics = api.get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("wasm_functions_invoked_total{node=\"local\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("wasm_modules_registered_total"));
}

TEST_F(UpTest, ASecondServerOnTheSamePortSaysSo) {
  const std::string port = server_->api().substr(std::string("http://").size());
  Folder other;
  const auto ended =
      run({"up", "--data", other.path(), "--api", port, "--gateway", "127.0.0.1:0", "--instances", "16"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, HasSubstr(port.substr(port.find(':') + 1)));
}

}  // namespace
}  // namespace hotswap::e2e
