// Queries of analyses, asked of a server that speaks as Prometheus does.
#include "control/prometheus.h"

#include "control/node_fixture.h"

namespace hotswap::control {
namespace {

using testing::HasSubstr;

std::string vector_of(const std::string& samples) {
  return R"({"status":"success","data":{"resultType":"vector","result":[)" + samples + "]}}";
}
std::string sample(const std::string& value) { return R"({"metric":{},"value":[1790000000.1,")" + value + R"("]})"; }

std::optional<double> value_in(const std::string& document) {
  const auto value = sample_of(document);
  EXPECT_TRUE(value) << document;
  return value ? *value : std::nullopt;
}

TEST(PrometheusDocument, HoldsOneSampleOrNone) {
  EXPECT_EQ(value_in(vector_of(sample("1.5"))), 1.5);
  EXPECT_EQ(value_in(R"({"status":"success","data":{"resultType":"scalar","result":[1,"2"]}})"), 2.0);
  EXPECT_EQ(value_in(vector_of("")), std::nullopt);
  EXPECT_EQ(value_in(vector_of(sample("NaN"))), std::nullopt);
}

TEST(PrometheusDocument, ThatSaysAnythingElseIsAProblem) {
  const auto problem = [](const std::string& document) { return sample_of(document).error().detail; };
  EXPECT_THAT(problem(vector_of(sample("1") + "," + sample("2"))), HasSubstr("2 samples: expected one"));
  EXPECT_THAT(problem(vector_of(sample("+Inf"))), HasSubstr("+Inf"));
  EXPECT_THAT(problem(R"({"status":"success","data":{"resultType":"matrix","result":[]}})"), HasSubstr("a matrix"));
  EXPECT_THAT(problem(R"({"status":"error","errorType":"bad_data","error":"parse error"})"), HasSubstr("parse error"));
  for (const std::string& document : {std::string(), std::string("<html>"), std::string("[]"), std::string("{}"),
                                      vector_of("{}"), vector_of("7"), vector_of(sample("x")), vector_of(sample("")),
                                      vector_of(R"({"value":[1]})"), vector_of(R"({"value":[1,2]})")}) {
    EXPECT_THAT(problem(document), HasSubstr("no query result")) << document;
  }
}

// Answers each query with what a test put there; without an answer it never replies.
class FakePrometheus {
 public:
  struct Answer {
    unsigned status = 200;
    std::string body;
  };
  explicit FakePrometheus(std::map<std::string, Answer> answers) : answers_(std::move(answers)) {
    net::ServerOptions listen;
    listen.name = "prometheus";
    listen.listen = *net::parse_endpoint("127.0.0.1:0");
    server_ = *net::Server::start(
        threads_, std::move(listen), [this](net::Exchange& exchange) { return answer(exchange); }, tracer_, metrics_);
  }
  ~FakePrometheus() {
    server_.reset();
    threads_.stop();
  }
  FakePrometheus(const FakePrometheus&) = delete;
  FakePrometheus& operator=(const FakePrometheus&) = delete;

  [[nodiscard]] std::string url() const { return server_->url(); }

 private:
  Task<void> answer(net::Exchange& exchange) {
    const auto query = net::parse_query(exchange.query());
    const bool asked = exchange.path().ends_with("/api/v1/query") && query && query->size() == 1;
    const auto found = asked ? answers_.find(query->front().second) : answers_.end();
    if (found == answers_.end()) {
      co_await exchange.peer_gone();
      co_return;
    }
    std::ignore = co_await exchange.reply(found->second.status, "application/json", found->second.body);
  }

  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
  const std::map<std::string, Answer> answers_;  // read by its one thread
  net::IoThreads threads_{1};
  std::unique_ptr<net::Server> server_;
};

QueryAnswers ask(const std::string& url, std::vector<std::string> queries,
                 std::chrono::milliseconds timeout = kPatience) {
  return run([](std::string at, std::vector<std::string> asked, std::chrono::milliseconds most) -> Task<QueryAnswers> {
    net::WebClient client;
    auto server = Prometheus::create(client, at);
    if (!server) throw std::runtime_error(server.error().detail);
    co_return co_await (*server)->ask(std::move(asked), most);
  }(url, std::move(queries), timeout));
}

TEST(PrometheusClient, AsksEachQueryAsItWasWritten) {
  const std::string odd = R"(sum(rate(http_requests_total{code=~"5..", job="a&b=c+d"}[1m])) / 2 % 3 # ü)";
  FakePrometheus server({{odd, {200, vector_of(sample("0.25"))}}, {"up", {200, vector_of(sample("1"))}}});
  const auto answers = ask(server.url() + "/behind/a/prefix/", {odd, "up"});
  EXPECT_EQ(answers.values, (std::map<std::string, double>{{odd, 0.25}, {"up", 1}}));
  EXPECT_TRUE(answers.problems.empty());
}

TEST(PrometheusClient, SaysWhatIsWrongWithEach) {
  FakePrometheus server({{"broken", {400, R"({"status":"error","error":"unexpected end of input"})"}},
                         {"down", {503, "try later"}},
                         {"none", {200, vector_of("")}},
                         {"large", {200, std::string(limits::kPrometheusReplyBytes + 1, 'x')}},
                         {"good", {200, vector_of(sample("3"))}}});
  const auto answers = ask(server.url(), {"broken", "down", "none", "large", "good"});
  EXPECT_EQ(answers.values, (std::map<std::string, double>{{"good", 3}}));
  EXPECT_EQ(answers.problems.size(), 3U);
  EXPECT_THAT(answers.problems.at("broken"), HasSubstr("unexpected end of input"));
  EXPECT_THAT(answers.problems.at("down"), HasSubstr("status 503"));
  EXPECT_THAT(answers.problems.at("large"), HasSubstr("did not answer"));
}

TEST(PrometheusClient, GivesUpOnAServerThatDoesNotAnswer) {
  FakePrometheus server({});
  const auto answers = ask(server.url(), {"one", "two"}, 50ms);
  EXPECT_EQ(answers.problems.size(), 2U);
  EXPECT_TRUE(answers.values.empty());
  EXPECT_EQ(ask("http://127.0.0.1:1", {"one"}).problems.size(), 1U);
}

TEST(PrometheusClient, RefusesAUrlThatIsNone) {
  net::WebClient client;
  for (const char* url : {"", "localhost:9090", "ftp://host", "http://host/?a=b"}) {
    EXPECT_FALSE(Prometheus::create(client, url)) << url;
  }
}

// ---- rollouts that are decided by it

constexpr std::string_view kByQuery = R"({"stages": [20, 100], "holdSeconds": 0, "analysis": {
    "metrics": [{"metric": "query", "query": "errors", "threshold": 1}], "intervalSeconds": 1, "inconclusiveLimit": 1}})";

Deployment decided_by(const std::string& url) {
  Options options;
  options.prometheus_url = url;
  Platform platform(options);
  TestNode node(platform, "node-1");
  for (const char* version : {"1.0.0", "2.0.0"}) {
    json::object how;
    if (std::string_view(version) == "2.0.0") how = {{"strategy", "Canary"}, {"strategyConfig", json::parse(kByQuery)}};
    const std::string id = platform.create("greeter", version, std::move(how));
    EXPECT_EQ(platform.verb(id, "execute").status, 202U);
    const auto ended = platform.wait(
        id, [](const Deployment& now) { return finished(now.status) || now.status == DeploymentStatus::Paused; });
    if (std::string_view(version) == "2.0.0") return ended;
  }
  return {};
}

TEST(DecidingByQuery, GoesOnWhereTheValueIsGood) {
  FakePrometheus server({{"errors", {200, vector_of(sample("0.5"))}}});
  EXPECT_EQ(decided_by(server.url()).status, DeploymentStatus::Completed);
}

TEST(DecidingByQuery, TakesBackWhereTheValueIsBad) {
  FakePrometheus server({{"errors", {200, vector_of(sample("7"))}}});
  const auto ended = decided_by(server.url());
  EXPECT_EQ(ended.status, DeploymentStatus::RolledBack);
  EXPECT_THAT(ended.errorMessage.value_or(""), HasSubstr("errors is 7, bound 1"));
}

TEST(DecidingByQuery, AsksAPersonWhereNobodyAnswersAndSaysWhy) {
  const auto paused = decided_by("http://127.0.0.1:1");
  EXPECT_EQ(paused.status, DeploymentStatus::Paused);
  EXPECT_THAT(paused.pauseReason.value_or(""), HasSubstr("Prometheus did not answer"));
}

TEST(DecidingByQuery, AsksAPersonWhereNoServerIsKnown) {
  const auto paused = decided_by("");
  EXPECT_EQ(paused.status, DeploymentStatus::Paused);
  EXPECT_THAT(paused.pauseReason.value_or(""), HasSubstr("--prometheus-url"));
}

TEST(DecidingByQuery, AServerThatIsSilentHoldsUpNoOtherDeploymentAndNoStop) {
  FakePrometheus silent({});
  Options options;
  options.prometheus_url = silent.url();
  Platform platform(options);
  TestNode node(platform, "node-1");
  const auto release = [&](const std::string& name, const std::string& version, json::object how) {
    const std::string id = platform.create(name, version, std::move(how));
    EXPECT_EQ(platform.verb(id, "execute").status, 202U);
    return id;
  };
  platform.wait_finished(release("greeter", "1.0.0", {}));
  const std::string asking =
      release("greeter", "2.0.0", {{"strategy", "Canary"}, {"strategyConfig", json::parse(kByQuery)}});
  platform.wait_step(asking, 2);
  platform.clock().advance(2s);  // a measurement is due
  EXPECT_EQ(platform.wait_finished(release("other", "1.0.0", {})).status, DeploymentStatus::Completed);
  platform.stop();
}

}  // namespace
}  // namespace hotswap::control
