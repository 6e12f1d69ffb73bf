#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// Reads server-sent events until the stream ends, or `enough` of its text so far.
std::string follow(Platform& platform, const std::string& target,
                   const std::vector<std::pair<std::string, std::string>>& headers,
                   const std::function<bool(const std::string&)>& enough = {}) {
  std::string text;
  const auto stream = [&](std::string url) -> Task<bool> {
    auto client = net::Client::create(co_await asio::this_coro::executor, url);
    net::ClientRequest request;
    request.target = target;
    request.headers = headers;
    std::ignore = co_await (*client)->stream(std::move(request), [&](std::string_view piece) {
      text += piece;
      return !enough || !enough(text);
    });
    co_return true;
  };
  run(stream(platform.server().url()));
  return text;
}

// "id event" of each.
std::vector<std::string> names(const std::string& text) {
  std::vector<std::string> all;
  std::string id;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("id: ")) id = line.substr(4);
    if (line.starts_with("event: ")) all.push_back(id + " " + line.substr(7));
  }
  return all;
}

const std::vector<std::pair<std::string, std::string>> kAccept{{"Accept", "text/event-stream"}};

TEST(FollowingEvents, ReplaysThenGoesOnLiveAndEndsWithTheDeployment) {
  Platform platform;
  TestNode node(platform, "node-1", "local", {.makes_ready = false, .routes = true, .fails = ""});
  const std::string id = platform.create("greeter", "1.0.0");
  platform.verb(id, "execute");
  bool released = false;
  const std::string text =
      follow(platform, "/api/v1/wasm/deployments/" + id + "/events", kAccept, [&](const auto& sofar) {
        // Only what comes after this is live.
        if (!released && sofar.contains("StepStarted")) {
          released = true;
          node.behave({});
        }
        return false;
      });
  EXPECT_TRUE(released);
  EXPECT_THAT(names(text), ElementsAre("1 DeploymentCreated", "2 DeploymentStarted", "3 StepStarted", "4 StepCompleted",
                                       "5 StepStarted", "6 RoutesChanged", "7 StepCompleted", "8 DeploymentCompleted"));
}

TEST(FollowingEvents, ContinuesAfterTheLastOneThatTheClientHas) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string id = platform.create("greeter", "1.0.0");
  platform.verb(id, "execute");
  platform.wait_finished(id);
  const std::string target = "/api/v1/wasm/deployments/" + id + "/events";
  auto headers = kAccept;
  headers.emplace_back("Last-Event-ID", "6");
  EXPECT_THAT(names(follow(platform, target, headers)), ElementsAre("7 StepCompleted", "8 DeploymentCompleted"));
  EXPECT_THAT(names(follow(platform, target + "?stream=true&after=7", {})), ElementsAre("8 DeploymentCompleted"));
  EXPECT_THAT(names(follow(platform, target + "?stream=true&after=8", {})), IsEmpty());
}

TEST(FollowingEvents, EndsWhenTheServerStops) {
  Platform platform;
  const std::string id = platform.create("greeter", "1.0.0");
  std::jthread stopper;
  const std::string text =
      follow(platform, "/api/v1/wasm/deployments/" + id + "/events?stream=true", {}, [&](const std::string& sofar) {
        if (!stopper.joinable() && sofar.contains("DeploymentCreated")) {
          stopper = std::jthread([&] { run(platform.app().stop()); });
        }
        return false;
      });
  EXPECT_THAT(names(text), ElementsAre("1 DeploymentCreated"));
}

TEST(ReadingEvents, AsPages) {
  Platform platform;
  const std::string id = platform.create("greeter", "1.0.0");
  platform.verb(id, "rollback");
  const std::string target = "/api/v1/wasm/deployments/" + id + "/events";
  EXPECT_EQ(platform.events(id).size(), 2U);
  EXPECT_EQ(platform.get(target + "?after=1").text("/items/0/type"), "DeploymentRolledBack");
  EXPECT_EQ(platform.get(target + "?limit=1").json().at("items").as_array().size(), 1U);
  EXPECT_EQ(platform.get(target + "?after=x").status, 400U);
  EXPECT_EQ(platform.get(target + "?stream=maybe").status, 400U);
  EXPECT_EQ(platform.get("/api/v1/wasm/deployments/none/events").status, 404U);
}

}  // namespace
}  // namespace hotswap::control
