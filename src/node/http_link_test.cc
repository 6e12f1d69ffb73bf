#include "node/http_link.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "net/router.h"
#include "net/server.h"

namespace hotswap::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Stands for a control plane: says what the test wants and remembers what it was asked.
class HttpLinkTest : public testing::Test {
 protected:
  HttpLinkTest() {
    std::filesystem::remove_all(data_);
    router_.add("POST /api/v1/wasm/nodes", [this](net::Exchange& exchange) -> Task<void> {
      note(exchange);
      if (!accepts_) {
        std::ignore = co_await net::reply_problem(exchange, {ErrorKind::kUnauthorized, "the token is revoked", {}});
        co_return;
      }
      std::ignore = co_await net::reply_json(exchange, to_json_text(next_credential()), 201);
    });
    router_.add("POST /api/v1/wasm/nodes/{id}/credential", [this](net::Exchange& exchange) -> Task<void> {
      note(exchange);
      std::ignore = co_await net::reply_json(exchange, to_json_text(next_credential()));
    });
    router_.add("PUT /api/v1/wasm/nodes/{id}", [this](net::Exchange& exchange) { return admitted(exchange, "{}"); });
    router_.add("POST /api/v1/wasm/nodes/{id}/reports",
                [this](net::Exchange& exchange) { return admitted(exchange, R"({"nextReportMs":7})"); });
    router_.add("GET /api/v1/wasm/nodes/{id}/desired-state",
                [this](net::Exchange& exchange) { return admitted(exchange, to_json_text(change_)); });
    router_.add("GET /api/v1/wasm/nodes/{id}/artifacts/{digest}",
                [this](net::Exchange& exchange) { return artifact(exchange); });
    net::ServerOptions options;
    options.listen = *net::parse_endpoint("127.0.0.1:0");
    server_ = *net::Server::start(
        threads_, std::move(options), [this](net::Exchange& exchange) { return router_.handle(exchange); }, tracer_,
        metrics_);
    about_.nodeId = NodeId("n1");
    about_.region = Region("local");
    open();
  }
  ~HttpLinkTest() override {
    link_.reset();
    server_.reset();
    threads_.stop();
    std::filesystem::remove_all(data_);
  }

  // A node process that begins, with what an earlier one left on the disk.
  void open(const std::string& token = "hsj_1") {
    link_ =
        *HttpLink::open(threads_.at(0).get_executor(), {.control = server_->url(), .join_token = token, .data = data_},
                        {.pool = pool_, .clock = clock_});
  }
  template <class T>
  T run(Task<T> task) {
    return asio::co_spawn(threads_.at(0), std::move(task), asio::use_future).get();
  }
  static DesiredChange change(std::int64_t from, std::int64_t revision) {
    DesiredChange made;
    made.from = from;
    made.revision = revision;
    return made;
  }
  Result<> introduce() { return run(link_->introduce(about_)); }
  Result<std::string> fetch(const Digest& digest) {
    std::string bytes;
    const auto done = run(link_->fetch(digest, [&](std::span<const std::byte> piece) -> Result<> {
      bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    }));
    if (!done) return std::unexpected(done.error());
    return bytes;
  }

  void note(const net::Exchange& exchange) {
    asked_.push_back(std::string(exchange.method()) + " " + std::string(exchange.path()) + " " +
                     std::string(exchange.header(net::http::field::authorization)));
  }
  IssuedCredential next_credential() {
    valid_ = "hsn_" + std::to_string(++issued_);
    return {NodeId("n1"), valid_, life_};
  }
  Task<void> admitted(net::Exchange& exchange, std::string answer) {
    note(exchange);
    if (exchange.header(net::http::field::authorization) != "Bearer " + valid_) {
      std::ignore = co_await net::reply_problem(exchange, {ErrorKind::kUnauthorized, "unknown credential", {}});
      co_return;
    }
    std::ignore = co_await net::reply_json(exchange, answer);
  }
  // Breaks off half-way as often as `breaks_` says.
  Task<void> artifact(net::Exchange& exchange) {
    const std::string range(exchange.header(net::http::field::range));
    ranges_.push_back(range);
    const std::size_t first = range.empty() ? 0 : std::stoul(range.substr(std::string("bytes=").size()));
    const std::string rest = binary_.substr(first);
    std::ignore = co_await exchange.begin(first == 0 ? 200 : 206, {}, rest.size());
    const bool breaks = breaks_-- > 0;
    const std::string sent = breaks ? rest.substr(0, rest.size() / 2) : rest;
    std::ignore = co_await exchange.write(std::as_bytes(std::span(sent)));
    if (breaks) {
      exchange.abort();
    } else {
      std::ignore = co_await exchange.finish();
    }
  }

  const std::filesystem::path data_ =
      testing::TempDir() + "http-link-" + testing::UnitTest::GetInstance()->current_test_info()->name();
  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
  net::IoThreads threads_{1};
  BlockingPool pool_{"pool", 1};
  net::Router router_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<HttpLink> link_;
  NodeDescription about_;
  // ---- the control plane's side, on the thread of its server; read when nothing is under way
  std::vector<std::string> asked_;
  std::vector<std::string> ranges_;
  bool accepts_ = true;
  std::string valid_;
  int issued_ = 0;
  std::int64_t life_ = 3600;
  DesiredChange change_;
  std::string binary_ = std::string(100'000, 'w');
  int breaks_ = 0;
};

TEST_F(HttpLinkTest, JoinsOnceAndRemembersItsCredentialOverARestart) {
  ASSERT_TRUE(introduce());
  EXPECT_EQ(run(link_->report({}))->nextReportMs, 7);
  open("");
  ASSERT_TRUE(introduce());
  EXPECT_THAT(asked_, ElementsAre("POST /api/v1/wasm/nodes Bearer hsj_1", HasSubstr("/n1/reports Bearer hsn_1"),
                                  "PUT /api/v1/wasm/nodes/n1 Bearer hsn_1"));
  const auto mode = std::filesystem::status(data_ / "credential.json").permissions();
  EXPECT_EQ(mode & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(HttpLinkTest, JoinsAnewWhereItsCredentialIsNoLongerKnown) {
  ASSERT_TRUE(introduce());
  valid_ = "another";
  EXPECT_TRUE(run(link_->report({})));
  EXPECT_EQ(issued_, 2);
}

TEST_F(HttpLinkTest, SaysWhyItMayNotJoin) {
  accepts_ = false;
  EXPECT_EQ(introduce().error().detail, "the token is revoked");
  open("");
  EXPECT_THAT(introduce().error().detail, HasSubstr("--join-token"));
}

TEST_F(HttpLinkTest, RenewsItsCredentialBeforeItEnds) {
  life_ = 0;
  ASSERT_TRUE(introduce());
  life_ = 3600;
  ASSERT_TRUE(run(link_->desired_state(0)));
  EXPECT_EQ(asked_.back().substr(asked_.back().find("Bearer")), "Bearer hsn_2");
  ASSERT_TRUE(run(link_->desired_state(0)));
  EXPECT_EQ(issued_, 2);
}

TEST_F(HttpLinkTest, AppliesChangesToWhatItHasAndAsksForTheWholeOtherwise) {
  ASSERT_TRUE(introduce());
  change_.revision = 5;
  change_.putRoutes = {{TenantId("t"), "a", Region("local"), {}, {}}};
  EXPECT_EQ(run(link_->desired_state(0))->routes.size(), 1U);
  change_ = change(5, 6);
  change_.putRoutes = {{TenantId("t"), "b", Region("local"), {}, {}}};
  EXPECT_EQ(run(link_->desired_state(5))->routes.size(), 2U);
  change_ = change(9, 10);
  EXPECT_EQ(run(link_->desired_state(9)).error().kind, ErrorKind::kConflict);
}

TEST_F(HttpLinkTest, ResumesADownloadWhereItBrokeOff) {
  ASSERT_TRUE(introduce());
  const Digest digest = Sha256::of(binary_);
  breaks_ = 2;
  EXPECT_EQ(fetch(digest).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(fetch(digest).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(fetch(digest), binary_);
  EXPECT_THAT(ranges_, ElementsAre("", "bytes=50000-", "bytes=75000-"));
  // From the disk, also after a restart.
  open();
  ASSERT_TRUE(introduce());
  EXPECT_EQ(fetch(digest), binary_);
  EXPECT_EQ(ranges_.size(), 3U);
}

TEST_F(HttpLinkTest, RefusesABinaryWithAnotherChecksum) {
  ASSERT_TRUE(introduce());
  const Digest other = Sha256::of("something else");
  EXPECT_EQ(fetch(other).error().kind, ErrorKind::kUpstream);
  EXPECT_FALSE(std::filesystem::exists(data_ / "artifacts" / other.hex()));
}

TEST_F(HttpLinkTest, LetsGoOfBinariesThatNoVersionNeeds) {
  ASSERT_TRUE(introduce());
  const Digest digest = Sha256::of(binary_);
  ASSERT_TRUE(fetch(digest));
  ASSERT_TRUE(std::filesystem::exists(data_ / "artifacts" / digest.hex()));
  ASSERT_TRUE(run(link_->desired_state(0)));
  EXPECT_FALSE(std::filesystem::exists(data_ / "artifacts" / digest.hex()));
}

}  // namespace
}  // namespace hotswap::node
