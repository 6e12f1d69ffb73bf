#include "net/local_exchange.h"

#include "net/test_server.h"

namespace hotswap::net {
namespace {

class LocalExchangeTest : public testing::Test {
 protected:
  LocalExchangeTest() { request_.headers.set(http::field::host, "health-check"); }

  LocalRequest request_{.target = "/health?deep=1", .body = "0123456789"};
  BoundedExchange exchange_{request_, 8};
};

TEST_F(LocalExchangeTest, ShowsTheRequest) {
  EXPECT_EQ(exchange_.method(), "GET");
  EXPECT_EQ(exchange_.path(), "/health");
  EXPECT_EQ(exchange_.query(), "deep=1");
  EXPECT_EQ(exchange_.header(http::field::host), "health-check");
  EXPECT_EQ(exchange_.header(http::field::cookie), "");
  EXPECT_FALSE(exchange_.replied());
  EXPECT_EQ(exchange_.status(), 0U);
}

TEST_F(LocalExchangeTest, GivesTheBodyOnce) {
  EXPECT_EQ(exchange_.body_size(), 10U);
  std::array<std::byte, 4> first{};
  EXPECT_EQ(run(exchange_.read_some(first)), 4U);
  EXPECT_EQ(static_cast<char>(first.back()), '3');
  EXPECT_FALSE(exchange_.body_done());
  EXPECT_EQ(run(exchange_.read_all(5)).error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(run(exchange_.read_all(6)), "456789");
  EXPECT_TRUE(exchange_.body_done());
  EXPECT_EQ(exchange_.buffered_body(), "");
  EXPECT_EQ(run(exchange_.read_some(first)), 0U);
}

TEST_F(LocalExchangeTest, KeepsTheStatusOfAWholeReply) {
  ASSERT_TRUE(run(exchange_.reply(204, "", "", {})));
  EXPECT_TRUE(exchange_.complete());
  EXPECT_EQ(exchange_.status(), 204U);
}

TEST_F(LocalExchangeTest, AReplyThatIsNotFinishedIsNotComplete) {
  ASSERT_TRUE(run(exchange_.begin(200, {}, std::nullopt)));
  EXPECT_TRUE(exchange_.replied());
  EXPECT_FALSE(exchange_.complete());
  ASSERT_TRUE(run(exchange_.finish({})));
  EXPECT_TRUE(exchange_.complete());
  exchange_.abort();
  EXPECT_FALSE(exchange_.complete());
}

TEST_F(LocalExchangeTest, AReplyBeyondTheLimitIsCut) {
  const std::string piece(5, 'x');
  ASSERT_TRUE(run(exchange_.begin(200, {}, std::nullopt)));
  EXPECT_TRUE(run(exchange_.write(std::as_bytes(std::span(piece)))));
  EXPECT_FALSE(run(exchange_.write(std::as_bytes(std::span(piece)))));
  ASSERT_TRUE(run(exchange_.finish({})));
  EXPECT_FALSE(exchange_.complete());
}

}  // namespace
}  // namespace hotswap::net
