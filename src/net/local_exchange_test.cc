#include "net/local_exchange.h"

#include "net/test_server.h"

namespace hotswap::net {
namespace {

class LocalExchangeTest : public testing::Test {
 protected:
  LocalExchange ask(const std::string& target, std::size_t limit = 8) {
    return {target, "health-check", tracer_.root(false), limit};
  }
  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
};

TEST_F(LocalExchangeTest, IsAGetOfItsTarget) {
  auto exchange = ask("/health?deep=1");
  EXPECT_EQ(exchange.method(), "GET");
  EXPECT_EQ(exchange.path(), "/health");
  EXPECT_EQ(exchange.query(), "deep=1");
  EXPECT_EQ(exchange.header(http::field::host), "health-check");
  EXPECT_EQ(exchange.header(http::field::cookie), "");
  EXPECT_TRUE(exchange.body_done());
  EXPECT_EQ(run(exchange.read_all(1)), std::string());
  EXPECT_FALSE(exchange.replied());
  EXPECT_EQ(exchange.status(), 0U);
}

TEST_F(LocalExchangeTest, KeepsTheStatusOfAWholeReply) {
  auto exchange = ask("/");
  ASSERT_TRUE(run(exchange.reply(204, "", "", {})));
  EXPECT_TRUE(exchange.complete());
  EXPECT_EQ(exchange.status(), 204U);
}

TEST_F(LocalExchangeTest, AReplyThatIsNotFinishedIsNotComplete) {
  auto exchange = ask("/");
  ASSERT_TRUE(run(exchange.begin(200, {}, std::nullopt)));
  EXPECT_TRUE(exchange.replied());
  EXPECT_FALSE(exchange.complete());
  ASSERT_TRUE(run(exchange.finish({})));
  EXPECT_TRUE(exchange.complete());
  exchange.abort();
  EXPECT_FALSE(exchange.complete());
  EXPECT_EQ(exchange.status(), 0U);
}

TEST_F(LocalExchangeTest, AReplyBeyondTheLimitIsCut) {
  const std::string piece(5, 'x');
  auto exchange = ask("/");
  ASSERT_TRUE(run(exchange.begin(200, {}, std::nullopt)));
  EXPECT_TRUE(run(exchange.write(std::as_bytes(std::span(piece)))));
  EXPECT_FALSE(run(exchange.write(std::as_bytes(std::span(piece)))));
  ASSERT_TRUE(run(exchange.finish({})));
  EXPECT_FALSE(exchange.complete());
}

}  // namespace
}  // namespace hotswap::net
