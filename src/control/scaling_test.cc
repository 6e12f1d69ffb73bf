// Autoscaling over the API: what nodes report becomes a decision in the log, a webhook and a metric.
#include "base/digest.h"
#include "control/node_fixture.h"
#include "net/https_sink.h"

namespace hotswap::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kScaling = "/api/v1/wasm/scaling";
constexpr const char* kDecisions = "/api/v1/wasm/scaling/decisions";

// What a receiver of webhooks was sent, and how it answers.
class Receiver {
 public:
  struct Sent {
    std::string body;
    std::string signature;
    std::string delivery;
    std::string event;
  };
  explicit Receiver(std::vector<unsigned> statuses = {}) : statuses_(std::move(statuses)) {
    net::ServerOptions listen;
    listen.name = "receiver";
    listen.listen = *net::parse_endpoint("127.0.0.1:0");
    server_ = *net::Server::start(
        threads_, std::move(listen), [this](net::Exchange& exchange) { return take(exchange); }, tracer_, metrics_);
  }
  ~Receiver() {
    server_.reset();
    threads_.stop();
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  [[nodiscard]] std::string url() const { return server_->url() + "/hook?for=scaling"; }
  [[nodiscard]] std::vector<Sent> sent() {
    const std::lock_guard lock(mutex_);
    return sent_;
  }

 private:
  Task<void> take(net::Exchange& exchange) {
    auto body = co_await exchange.read_all(limits::kMiB);
    if (!body) co_return;
    const unsigned status = note({.body = *body,
                                  .signature = std::string(exchange.headers()["hotswap-signature"]),
                                  .delivery = std::string(exchange.headers()["hotswap-delivery"]),
                                  .event = std::string(exchange.headers()["hotswap-event"])});
    std::ignore = co_await exchange.reply(exchange.target() == "/hook?for=scaling" ? status : 404, "text/plain", "");
  }
  unsigned note(Sent sent) {
    const std::lock_guard lock(mutex_);
    sent_.push_back(std::move(sent));
    return sent_.size() <= statuses_.size() ? statuses_[sent_.size() - 1] : 204;
  }

  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
  net::IoThreads threads_{1};
  std::mutex mutex_;
  std::vector<Sent> sent_;
  const std::vector<unsigned> statuses_;
  std::unique_ptr<net::Server> server_;
};

Options scaling_options(const std::string& webhook = "") {
  Options options;
  options.regions = {{.region = Region("local"), .nodes = {.minimum = 1, .maximum = 3}}};
  // Time is pushed on below; nodes must not fall silent by that.
  options.liveness = {.suspect_after = 1h, .unhealthy_after = 2h};
  options.scaling.enabled = true;
  options.scaling.triggers = {.busy_for = 30s, .idle_for = 40s, .cooldown = 20s};
  options.scaling.look_every = 1ms;
  options.scaling.webhook_url = webhook;
  options.scaling.webhook_secret = "a secret";
  options.scaling.webhook_retry = 1ms;
  return options;
}

class ScalingTest : public testing::Test {
 protected:
  void start(Options options) {
    platform_.emplace(std::move(options));
    join("n1");
    join("n2");
  }
  void join(const std::string& id) {
    NodeDescription node;
    node.nodeId = NodeId(id);
    node.hostname = "127.0.0.1";
    node.port = 9000;
    node.region = Region("local");
    node.runtimeVersion = "48.0.0";
    ASSERT_TRUE(run(platform_->app().introduce(node)));
  }
  void report(double cpu, const std::string& id) {
    NodeReport report;
    report.nodeId = NodeId(id);
    report.region = Region("local");
    report.health.emplace();
    report.health->cpuUsagePercent = 50;  // of the machine, on which others may run
    report.health->processCpuPercent = cpu;
    ASSERT_TRUE(run(platform_->app().report(std::move(report))));
  }
  void report(double cpu) {
    report(cpu, "n1");
    report(cpu, "n2");
  }
  [[nodiscard]] bool seen(const std::string& since) {
    return eventually([&] { return platform_->get(kScaling).text("/items/0/" + since) != "null"; });
  }
  [[nodiscard]] json::array decisions() { return platform_->get(kDecisions).json().at("items").as_array(); }
  [[nodiscard]] bool decided(std::size_t count) {
    return eventually([&] { return decisions().size() == count; });
  }
  void be_busy() {
    report(90);
    ASSERT_TRUE(seen("busySince"));
    platform_->clock().advance(30s);
  }

  std::optional<Platform> platform_;
};

TEST_F(ScalingTest, ABusyRegionIsDecidedToNeedANodeMoreAndAnIdleOneANodeLess) {
  start(scaling_options());
  be_busy();
  ASSERT_TRUE(decided(1));
  const Reply log = platform_->get(kDecisions);
  EXPECT_EQ(log.text("/items/0/sequence"), "1");
  EXPECT_EQ(log.text("/items/0/region"), "local");
  EXPECT_EQ(log.text("/items/0/direction"), "up");
  EXPECT_EQ(log.text("/items/0/trigger"), "cpuHigh");
  EXPECT_EQ(log.text("/items/0/fromNodes"), "2");
  EXPECT_EQ(log.text("/items/0/toNodes"), "3");
  EXPECT_THAT(log.text("/items/0/reason"), HasSubstr("CPU above 70%"));
  const std::string metrics = platform_->get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr(R"(wasm_scaling_decisions_total{direction="up",region="local",trigger="cpuHigh"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(wasm_scaling_nodes_wanted{region="local"} 3)"));

  report(3);
  ASSERT_TRUE(seen("idleSince"));
  EXPECT_NE(platform_->get(kScaling).text("/items/0/coolingUntil"), "null");
  platform_->clock().advance(40s);
  ASSERT_TRUE(decided(2));
  EXPECT_EQ(platform_->get(std::string(kDecisions) + "?region=local&limit=1").text("/items/0/direction"), "down");
  EXPECT_THAT(platform_->get(std::string(kDecisions) + "?region=mars").json().at("items").as_array(), SizeIs(0));
}

TEST_F(ScalingTest, ShowsWhatItSees) {
  start(scaling_options());
  report(20, "n1");
  report(60, "n2");
  const Reply shown = platform_->get(kScaling);
  EXPECT_EQ(shown.text("/enabled"), "true");
  EXPECT_EQ(shown.text("/items/0/nodes"), "2");
  EXPECT_EQ(shown.json().at_pointer("/items/0/cpuPercent").to_number<double>(), 40);
  EXPECT_EQ(shown.text("/items/0/maximumNodes"), "3");
  EXPECT_EQ(shown.text("/items/0/modulesPerNode"), "null");
  platform_->post("/api/v1/wasm/nodes/n2/drain");
  EXPECT_EQ(platform_->get(kScaling).text("/items/0/nodes"), "1");
}

TEST_F(ScalingTest, NothingIsDecidedUnlessAsked) {
  Options options = scaling_options();
  options.scaling.enabled = false;
  start(std::move(options));
  report(90);
  platform_->clock().advance(30s);
  report(90);
  EXPECT_EQ(platform_->get(kScaling).text("/enabled"), "false");
  EXPECT_EQ(platform_->get(kScaling).text("/items/0/busySince"), "null");
  EXPECT_THAT(decisions(), SizeIs(0));
}

TEST_F(ScalingTest, AMachineWhoseNodeDoesNotSayWhatItUsesIsJudgedAsAWhole) {
  start(scaling_options());
  for (const char* id : {"n1", "n2"}) {
    NodeReport report;
    report.nodeId = NodeId(id);
    report.region = Region("local");
    report.health.emplace();
    report.health->cpuUsagePercent = 75;
    ASSERT_TRUE(run(platform_->app().report(std::move(report))));
  }
  EXPECT_TRUE(seen("busySince"));
}

TEST_F(ScalingTest, ManyModulesOnANodeCountWhereAnotherNodeWouldTakeSome) {
  Options options = scaling_options();
  options.regions.front().replicas = 1;
  options.scaling.triggers.many_modules = 2;
  start(std::move(options));
  const auto holding = [&](const std::string& id, int count) {
    NodeReport report;
    report.nodeId = NodeId(id);
    report.region = Region("local");
    report.health.emplace();
    for (int i = 0; i < count; ++i) {
      report.versions.push_back({TenantId("t"), ModuleId("m" + std::to_string(i)), VersionState::Ready, ""});
    }
    ASSERT_TRUE(run(platform_->app().report(std::move(report))));
  };
  holding("n1", 5);
  holding("n2", 0);
  ASSERT_TRUE(decided(1));
  EXPECT_EQ(decisions().at(0).at("trigger"), "moduleCount");
  EXPECT_EQ(decisions().at(0).at("value").to_number<double>(), 2.5);
}

TEST_F(ScalingTest, EachDecisionIsToldToTheWebhookAndSigned) {
  Receiver receiver;
  start(scaling_options(receiver.url()));
  be_busy();
  ASSERT_TRUE(eventually([&] { return receiver.sent().size() == 1; }));
  const auto sent = receiver.sent().front();
  EXPECT_EQ(sent.event, "scaling");
  EXPECT_EQ(sent.delivery, "1");
  EXPECT_EQ(sent.signature, "sha256=" + hmac_sha256("a secret", sent.body));
  EXPECT_EQ(json::parse(sent.body), decisions().at(0));
  EXPECT_TRUE(eventually([&] { return !*platform_->store().untold_scaling_event(); }));
}

TEST_F(ScalingTest, AWebhookIsToldByHttpsWhereItsCertificateIsTrusted) {
  net::HttpsSink receiver;
  Options options = scaling_options(receiver.url() + "/hooks?team=a");
  options.web_ca_file = receiver.certificate();
  start(std::move(options));
  be_busy();
  const auto sent = receiver.request();
  EXPECT_EQ(sent.at("method"), "POST");
  EXPECT_EQ(sent.at("path"), "/hooks?team=a");
  EXPECT_EQ(sent.at("headers").at("hotswap-event"), "scaling");
  const std::string body(sent.at("body").as_string());
  EXPECT_EQ(sent.at("headers").at("hotswap-signature"), json::value("sha256=" + hmac_sha256("a secret", body)));
  EXPECT_EQ(json::parse(body).at("sequence"), 1);
}

TEST_F(ScalingTest, AWebhookThatFailsIsToldAgainUntilItTakesIt) {
  Receiver receiver({500, 302, 404});
  start(scaling_options(receiver.url()));
  be_busy();
  ASSERT_TRUE(eventually([&] { return !decisions().empty() && !*platform_->store().untold_scaling_event(); }));
  const auto sent = receiver.sent();
  ASSERT_THAT(sent, SizeIs(4));
  for (const auto& one : sent) EXPECT_EQ(one.delivery, "1");
  EXPECT_THAT(platform_->get("/metrics").body, HasSubstr("wasm_scaling_webhooks_retried_total 3"));
}

TEST_F(ScalingTest, AWebhookThatNeverTakesADecisionIsGivenUpAndTheNextDecisionIsTold) {
  Receiver receiver(std::vector<unsigned>(limits::kWebhookTries, 500));
  start(scaling_options(receiver.url()));
  be_busy();
  ASSERT_TRUE(eventually([&] { return receiver.sent().size() == limits::kWebhookTries; }));
  report(3);
  ASSERT_TRUE(seen("idleSince"));
  platform_->clock().advance(40s);
  ASSERT_TRUE(eventually([&] { return receiver.sent().size() == limits::kWebhookTries + 1; }));
  EXPECT_EQ(receiver.sent().back().delivery, "2");
  EXPECT_THAT(platform_->get("/metrics").body, HasSubstr("wasm_scaling_webhooks_failed_total 1"));
}

TEST_F(ScalingTest, ADecisionThatNobodyTookBeforeACrashIsToldAfterIt) {
  Receiver receiver(std::vector<unsigned>(3, 500));
  Options options = scaling_options(receiver.url());
  options.scaling.webhook_retry = 1h;
  // Full jitter draws below the bound; the first pauses may be short, but three of them are not all of them.
  start(std::move(options));
  be_busy();
  ASSERT_TRUE(eventually([&] { return !receiver.sent().empty(); }));
  platform_->stop();
  platform_->start();
  ASSERT_TRUE(eventually([&] { return receiver.sent().size() >= 2; }));
  EXPECT_EQ(receiver.sent().back().delivery, "1");
}

TEST_F(ScalingTest, ADecisionThatCannotBeStoredIsMadeAgain) {
  start(scaling_options());
  report(90);
  ASSERT_TRUE(seen("busySince"));
  platform_->store().break_next(FlakyStore::Fault::lose_change);
  platform_->clock().advance(30s);
  ASSERT_TRUE(decided(1));
  EXPECT_EQ(decisions().at(0).at("sequence"), 1);
}

TEST_F(ScalingTest, TheCooldownHoldsOverACrash) {
  start(scaling_options());
  be_busy();
  ASSERT_TRUE(decided(1));
  platform_->stop();
  platform_->start();
  EXPECT_NE(platform_->get(kScaling).text("/items/0/coolingUntil"), "null");
}

TEST_F(ScalingTest, WhoeverActsIsToldOfADecisionThatIsStored) {
  std::promise<ScalingEvent> told;
  Options options = scaling_options();
  options.scaling.on_decision = [&told](const ScalingEvent& event) { told.set_value(event); };
  start(std::move(options));
  be_busy();
  auto future = told.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(to_json(future.get()), decisions().at(0));
}

TEST_F(ScalingTest, ANodeThatIsToStopIsDrainedUntilNothingIsSentToIt) {
  platform_.emplace(Options{});
  const TestNode stays(*platform_, "n1");
  std::optional<TestNode> goes(std::in_place, *platform_, "n2");
  const auto describe = [](const std::string& id) {
    NodeDescription node;
    node.nodeId = NodeId(id);
    node.hostname = "127.0.0.1";
    node.port = 9000;
    node.region = Region("local");
    node.runtimeVersion = "48.0.0";
    return node;
  };
  for (const char* id : {"n1", "n2"}) ASSERT_TRUE(run(platform_->app().introduce(describe(id))));
  const std::string id = platform_->create("greeter", "1.0.0");
  platform_->verb(id, "execute");
  platform_->wait_finished(id);
  ASSERT_TRUE(goes->serves("greeter-v1.0.0"));

  ASSERT_TRUE(run(platform_->app().retire(NodeId("n2"))));
  EXPECT_FALSE(goes->serves("greeter-v1.0.0"));
  EXPECT_EQ(platform_->get("/api/v1/wasm/nodes/n2").text("/versionsReady"), "0");
  goes.reset();
  ASSERT_TRUE(run(platform_->app().remove(NodeId("n2"))));
  EXPECT_EQ(platform_->get("/api/v1/wasm/nodes/n2").status, 404U);
  EXPECT_EQ(run(platform_->app().retire(NodeId("n2"))).error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace hotswap::control
