#include "node/request_sender.h"

#include <gtest/gtest.h>

#include "net/test_server.h"

namespace hotswap::node {
namespace {

TEST(Cookies, AreFoundByTheirWholeName) {
  EXPECT_EQ(cookie("a=1; user=ann; b=2", "user"), "ann");
  EXPECT_EQ(cookie("user=ann", "user"), "ann");
  EXPECT_EQ(cookie("superuser=bob; user2=eve", "user"), "");
  EXPECT_EQ(cookie("user", "user"), "");
  EXPECT_EQ(cookie("", "user"), "");
}

TEST(RequestSender, BelievesTheClientsAddressOfThoseWhoShowTheKeyAlone) {
  net::TestServer server([](net::Exchange& exchange) -> Task<void> {
    const auto number = RequestSender(exchange, "key").number({StickyBy::clientAddress, ""});
    std::ignore = co_await exchange.reply(200, "text/plain", std::to_string(number.value_or(0)));
  });
  const auto number = [&](const std::string& headers) {
    auto client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n");
    const std::string reply = client.read_reply();
    return reply.substr(reply.find("\r\n\r\n"));
  };
  const std::string direct = number("");
  EXPECT_EQ(number("X-HotSwap-Forwarded: key\r\nX-HotSwap-Client: 127.0.0.1\r\n"), direct);
  EXPECT_NE(number("X-HotSwap-Forwarded: key\r\nX-HotSwap-Client: 10.0.0.1\r\n"), direct);
  EXPECT_EQ(number("X-HotSwap-Forwarded: kex\r\nX-HotSwap-Client: 10.0.0.1\r\n"), direct);
  EXPECT_EQ(number("X-HotSwap-Forwarded: 1\r\nX-HotSwap-Client: 10.0.0.1\r\n"), direct);
  EXPECT_EQ(number("X-HotSwap-Client: 10.0.0.1\r\n"), direct);
}

}  // namespace
}  // namespace hotswap::node
