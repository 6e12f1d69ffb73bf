// Requests at gateways whose nodes do not hold what is asked for, while nodes stop and are killed.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "base/id.h"
#include "fleet/three_nodes.h"
#include "net/client.h"

namespace hotswap::e2e {
namespace {

using testing::SizeIs;

constexpr std::size_t kLargeBody = 6'000'000;

std::string body_of(std::size_t size) {
  SeededRandom random(size);
  std::string body;
  while (body.size() < size) body += std::to_string(random.next());
  body.resize(size);
  return body;
}

template <class T>
T complete(asio::io_context& io, Task<T> task) {
  std::optional<T> result;
  asio::co_spawn(io, std::move(task), [&](const std::exception_ptr& thrown, T value) {
    if (thrown) std::rethrow_exception(thrown);
    result = std::move(value);
  });
  io.restart();
  while (!result) io.run_one();
  return std::move(*result);
}

net::ClientRequest request_for(std::string target, std::string body = {}, net::HeaderList headers = {}) {
  net::ClientRequest request;
  request.method = body.empty() ? "GET" : "POST";
  request.target = std::move(target);
  request.headers = std::move(headers);
  request.body = std::move(body);
  return request;
}

Result<net::ClientResponse> send(const NodeProcess& node, net::ClientRequest request) {
  asio::io_context io{1};
  const auto client = *net::Client::create(io.get_executor(), node.gateway());
  return complete(io, client->send(std::move(request)));
}

// Requests of the echoing handler without a pause, over some connections to each gateway.
class EchoLoad {
 public:
  static constexpr int kConnections = 4;  // to each gateway
  explicit EchoLoad(const std::vector<const NodeProcess*>& nodes) {
    for (const auto* node : nodes) gateways_.push_back(node->gateway());
    thread_ = std::thread([this] {
      asio::io_context io{1};
      for (const auto& gateway : gateways_) {
        for (int i = 0; i < kConnections; ++i) {
          asio::co_spawn(io, call(gateway), [](const std::exception_ptr& thrown) {
            if (thrown) std::rethrow_exception(thrown);
          });
        }
      }
      io.run();
    });
  }
  ~EchoLoad() { stop(); }
  EchoLoad(const EchoLoad&) = delete;
  EchoLoad& operator=(const EchoLoad&) = delete;

  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] int answered() const { return answered_; }
  // After stop().
  [[nodiscard]] const std::vector<std::string>& failed() const { return failed_; }
  // Until so many more requests were answered.
  [[nodiscard]] bool goes_on(int requests = 200) const {
    return eventually([this, until = answered() + requests] { return answered() >= until; });
  }

 private:
  Task<void> call(std::string gateway) {
    const auto client = *net::Client::create(co_await asio::this_coro::executor, gateway);
    const std::string body = body_of(2'000);
    while (!stopping_) {
      const auto reply = co_await client->send(request_for("/m/echo/", body));
      if (reply && reply->status == 200 && reply->body == body) {
        ++answered_;
      } else {
        failed_.push_back(reply ? std::to_string(reply->status) + " " + reply->body : reply.error().detail);
      }
    }
  }

  std::atomic<bool> stopping_{false};
  std::atomic<int> answered_{0};
  std::vector<std::string> gateways_;
  std::vector<std::string> failed_;  // of the thread, until it has ended
  std::thread thread_;
};

class ForwardingFleet : public ThreeNodes {
 protected:
  explicit ForwardingFleet(const std::string& replicas = "1") : ThreeNodes(Settings{"--replicas", replicas}) {}

  [[nodiscard]] bool holds(const NodeProcess& node, const std::string& version) const {
    const auto shown = control_.node(node.id());
    const auto& modules = shown.at("deployedModules").as_array();
    return std::ranges::find(modules, json::value(version)) != modules.end();
  }
  [[nodiscard]] std::vector<NodeProcess*> holders(const std::string& version) const {
    std::vector<NodeProcess*> found;
    for (const auto& node : nodes_) {
      if (holds(*node, version)) found.push_back(node.get());
    }
    return found;
  }
  [[nodiscard]] std::vector<const NodeProcess*> all_but(const NodeProcess* left_out) const {
    std::vector<const NodeProcess*> some;
    for (const auto& node : nodes_) {
      if (node.get() != left_out) some.push_back(node.get());
    }
    return some;
  }
  // Deployed, and every gateway answers for it.
  void release_echo() {
    control_.release("c-http-echo", "echo", "1.0.0");
    for (const auto& node : nodes_) {
      ASSERT_TRUE(eventually([&] {
        const auto reply = send(*node, request_for("/m/echo/", "hello"));
        return reply && reply->status == 200 && reply->body == "hello";
      })) << node->id();
    }
  }
};

TEST_F(ForwardingFleet, EveryGatewayStreamsRequestsToTheNodeThatHoldsTheHandlerAndItsRepliesBack) {
  release_echo();
  ASSERT_THAT(holders("echo-v1.0.0"), SizeIs(1));
  const std::string body = body_of(kLargeBody);
  for (const auto& node : nodes_) {
    const auto echoed = send(*node, request_for("/m/echo/", body, {{"Content-Type", "text/x-mine"}}));
    ASSERT_TRUE(echoed) << echoed.error().detail;
    EXPECT_EQ(echoed->header("content-type"), "text/x-mine");
    EXPECT_TRUE(echoed->body == body) << node->id() << ": " << echoed->body.size() << " bytes";
    const auto chunks = send(*node, request_for("/m/echo/chunks?n=3000"));
    ASSERT_TRUE(chunks) << chunks.error().detail;
    EXPECT_EQ(chunks->body.size(), 3000U * 1024) << node->id();
    // What breaks off does not look like a whole reply.
    const auto trapped = send(*node, request_for("/m/echo/trap-late"));
    EXPECT_TRUE(!trapped || trapped->status == 502) << node->id();
    EXPECT_EQ(send(*node, request_for("/m/nobody/"))->status, 404U);
  }
}

TEST_F(ForwardingFleet, AVersionAskedForByItsIdIsFoundOnAnotherNode) {
  control_.release("c-add", "add", "1.0.0");
  const json::object call{{"moduleId", "add-v1.0.0"}, {"function", "add"}, {"params", {2, 3}}};
  for (const auto& node : nodes_) {
    EXPECT_TRUE(eventually([&] {
      const auto result = ask(node->gateway(), "POST", "/api/v1/wasm/execute", json::serialize(call));
      const auto* value = result.if_object() == nullptr ? nullptr : result.as_object().if_contains("returnValue");
      return value != nullptr && *value == 5;
    })) << node->id();
  }
}

TEST_F(ForwardingFleet, ASenderGetsTheSameVersionWhicheverGatewayItAsks) {
  control_.release("c-http-hello-v1", "hello", "1.0.0");
  control_.hotswap({"module", "push", sample("c-http-hello-v2"), "--name", "hello", "--version", "2.0.0"});
  control_.hotswap({"deploy", "hello@2.0.0", "--strategy", "ab-testing", "--config-json",
                    R"({"weights": [50, 50], "sticky": {"by": "cookie", "name": "user"}})"});
  const auto version_for = [](const NodeProcess& node, int user) {
    const auto reply = send(node, request_for("/m/hello/", {}, {{"Cookie", "a=b; user=u" + std::to_string(user)}}));
    return reply && reply->status == 200 ? reply->body : std::string();
  };
  const auto versions = [&](const NodeProcess& node) {
    std::vector<std::string> all;
    for (int user = 0; user < 16; ++user) all.push_back(version_for(node, user));
    return all;
  };
  // Once both versions are routed.
  ASSERT_TRUE(eventually([&] {
    const auto seen = versions(*nodes_.front());
    const std::set<std::string> distinct(seen.begin(), seen.end());
    return distinct.size() == 2 && !distinct.contains("");
  }));
  const auto first = versions(*nodes_.front());
  for (const auto& node : nodes_) EXPECT_EQ(versions(*node), first) << node->id();
}

TEST_F(ForwardingFleet, AnswersOf500AndAboveCountAsFailuresOfTheHandler) {
  release_echo();
  for (const auto& node : nodes_) {
    EXPECT_EQ(send(*node, request_for("/m/echo/status?code=500"))->status, 500U);
    EXPECT_EQ(send(*node, request_for("/m/echo/status?code=404"))->status, 404U);
  }
  EXPECT_TRUE(eventually([&] {
    std::int64_t failed = 0;
    for (const auto& node : nodes_) {
      failed += control_.node(node->id()).at("metrics").at("failedInvocations").as_int64();
    }
    return failed == 3;
  }));
}

TEST_F(ForwardingFleet, TheOnlyHolderLeavesWithoutALostRequestOnceAnotherOneHasACopy) {
  release_echo();
  ASSERT_THAT(holders("echo-v1.0.0"), SizeIs(1));
  NodeProcess& leaving = *holders("echo-v1.0.0").front();
  EchoLoad load(all_but(&leaving));
  EXPECT_TRUE(load.goes_on());
  leaving.child().send(SIGTERM);
  EXPECT_EQ(leaving.child().wait().exit_code, 0);
  EXPECT_TRUE(load.goes_on());
  load.stop();
  EXPECT_THAT(load.failed(), testing::IsEmpty());
}

class TwiceReplicatedFleet : public ForwardingFleet {
 protected:
  TwiceReplicatedFleet() : ForwardingFleet("2") {}
};

TEST_F(TwiceReplicatedFleet, ANodeThatIsStoppedLosesNoRequestAndComesBack) {
  release_echo();
  ASSERT_TRUE(eventually([&] { return holders("echo-v1.0.0").size() == 2; }));
  NodeProcess& leaving = *holders("echo-v1.0.0").front();
  EchoLoad load(all_but(&leaving));
  EXPECT_TRUE(load.goes_on());

  // One that is half-way at its own gateway.
  asio::io_context io{1};
  const auto client = *net::Client::create(io.get_executor(), leaving.gateway());
  const std::string first = body_of(1'000);
  const auto begin = [](net::Client& to, std::string body) -> Task<std::shared_ptr<net::ClientStream>> {
    auto request = request_for("/m/echo/", body);
    std::shared_ptr<net::ClientStream> stream = *co_await to.open(std::move(request), std::nullopt);
    EXPECT_TRUE(co_await stream->head());
    std::string echoed;
    std::array<std::byte, 1'000> piece;
    while (echoed.size() < body.size()) {
      const auto count = co_await stream->read_some(piece);
      if (!count || *count == 0) break;
      echoed.append(reinterpret_cast<const char*>(piece.data()), *count);
    }
    EXPECT_EQ(echoed, body);
    co_return stream;
  };
  auto stream = complete(io, begin(*client, first));
  leaving.child().send(SIGTERM);
  EXPECT_TRUE(load.goes_on());
  EXPECT_TRUE(eventually([&] { return control_.condition(leaving.id()) == "Leaving"; }));
  const auto end = [](std::shared_ptr<net::ClientStream> to) -> Task<bool> {
    if (!co_await to->write(std::as_bytes(std::span("more", 4))) || !co_await to->finish({})) co_return false;
    std::array<std::byte, 100> piece;
    const auto count = co_await to->read_some(piece);
    const bool whole = count && *count == 4;
    const auto after = co_await to->read_some(piece);
    co_return whole&& after && *after == 0;
  };
  EXPECT_TRUE(complete(io, end(stream)));
  stream.reset();
  EXPECT_EQ(leaving.child().wait().exit_code, 0);

  EXPECT_TRUE(load.goes_on());
  leaving.start();
  EXPECT_TRUE(eventually([&] { return control_.condition(leaving.id()) == "Healthy"; }));
  EXPECT_TRUE(load.goes_on());
  load.stop();
  EXPECT_THAT(load.failed(), testing::IsEmpty());
}

TEST_F(TwiceReplicatedFleet, ANodeThatIsKilledLosesTheRequestsInFlightOnItAndNoOthers) {
  release_echo();
  ASSERT_TRUE(eventually([&] { return holders("echo-v1.0.0").size() == 2; }));
  NodeProcess& killed = *holders("echo-v1.0.0").front();
  const auto asked = all_but(&killed);
  EchoLoad load(asked);
  EXPECT_TRUE(load.goes_on());
  killed.kill();
  EXPECT_TRUE(load.goes_on());
  load.stop();
  // Each connection had one request under way at the most.
  const auto failed = load.failed();
  EXPECT_LE(failed.size(), asked.size() * EchoLoad::kConnections) << "the last one: " << failed.back();
}

}  // namespace
}  // namespace hotswap::e2e
