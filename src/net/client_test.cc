#include "net/client.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>

#include <thread>

#include "net/test_server.h"

namespace hotswap::net {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Runs one coroutine with a client of the server.
template <class F>
auto with_client(const tcp::endpoint& endpoint, F use) {
  using T = typename std::invoke_result_t<F, Client&>::value_type;
  return run([](tcp::endpoint to, F call) -> Task<T> {
    const std::string url = "http://127.0.0.1:" + std::to_string(to.port());
    const auto client = *Client::create(co_await asio::this_coro::executor, url);
    co_return co_await call(*client);
  }(endpoint, std::move(use)));
}

// Accepts connections and answers each with one text per request, then closes it.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::vector<std::string>> connections)
      : acceptor_(context_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)),
        thread_([this, connections = std::move(connections)] { serve(connections); }) {}
  ~ScriptedServer() { thread_.join(); }
  [[nodiscard]] tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  void serve(const std::vector<std::vector<std::string>>& connections) {
    for (const auto& replies : connections) {
      tcp::socket socket(context_);
      acceptor_.accept(socket);
      for (const std::string& reply : replies) {
        std::array<char, 65536> request;
        boost::system::error_code ignored;
        socket.read_some(asio::buffer(request), ignored);
        asio::write(socket, asio::buffer(reply), ignored);
      }
    }
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

TEST(Client, SendsMethodTargetHeadersAndBody) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    const std::string text = std::string(exchange.method()) + " " + std::string(exchange.target()) + " " +
                             std::string(exchange.headers()["X-A"]) + " " + *co_await exchange.read_all(100);
    const Header header{"X-Reply", "yes"};
    std::ignore = co_await exchange.reply(201, "text/plain", text, {&header, 1});
  });
  const auto response = with_client(server.endpoint(), [](Client& client) {
    return client.send({.method = "PUT", .target = "/a?b", .headers = {{"X-A", "1"}}, .body = "text"});
  });
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "PUT /a?b 1 text");
  EXPECT_EQ(response->header("x-reply"), "yes");
  EXPECT_EQ(response->header("absent"), "");
}

TEST(Client, ReusesItsConnections) {
  TestServer server(echo);
  with_client(server.endpoint(), [&](Client& client) -> Task<bool> {
    for (int i = 0; i < 5; ++i) {
      const bool head = i % 2 == 1;
      const auto response = co_await client.send({.method = head ? "HEAD" : "GET"});
      EXPECT_TRUE(response);
      EXPECT_EQ(response->body, head ? "" : "GET /  ");
    }
    EXPECT_EQ(server.connections(), 1);
    co_return true;
  });
}

TEST(Client, RetriesOnAFreshConnectionWhatAClosedOneNeverAnswered) {
  const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
  ScriptedServer server({{reply + "a", ""}, {reply + "b"}});
  const auto bodies = with_client(server.endpoint(), [](Client& client) -> Task<std::string> {
    const auto first = co_await client.send({});
    const auto second = co_await client.send({});
    co_return first.value_or(ClientResponse{.body = "?"}).body + second.value_or(ClientResponse{.body = "?"}).body;
  });
  EXPECT_EQ(bodies, "ab");
}

TEST(Client, ReportsAServerThatClosesWithoutAReply) {
  ScriptedServer server({{""}});
  const auto response = with_client(server.endpoint(), [](Client& client) { return client.send({}); });
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
}

TEST(Client, StreamsBothWays) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    std::vector<std::byte> bytes(10'000);
    std::ignore = co_await exchange.begin(200, {}, std::nullopt);
    for (;;) {
      const auto count = co_await exchange.read_some(bytes);
      if (!count || *count == 0) break;
      std::ignore = co_await exchange.write(std::span(bytes).first(*count));
    }
    std::ignore = co_await exchange.finish();
  });
  for (const std::uint64_t stated : {0, 3'000'000}) {
    std::size_t left = 3'000'000;
    std::size_t received = 0;
    ClientRequest request{.method = "POST"};
    request.body_source_size = stated;
    request.body_source = [&](std::span<std::byte> into) -> Result<std::size_t> {
      const std::size_t count = std::min(left, into.size());
      std::ranges::fill(into.first(count), std::byte{'x'});
      left -= count;
      return count;
    };
    const auto response = with_client(server.endpoint(), [&](Client& client) {
      return client.stream(std::move(request), [&](std::string_view chunk) {
        received += chunk.size();
        return true;
      });
    });
    ASSERT_TRUE(response) << response.error().detail;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(received, 3'000'000);
  }
}

TEST(Client, EndsAStreamWhenItsReaderHasEnough) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    std::ignore = co_await exchange.begin(200, {}, std::nullopt);
    const std::string text(1000, 'x');
    while (co_await exchange.write(std::as_bytes(std::span(text)))) {
    }
  });
  const auto response = with_client(
      server.endpoint(), [](Client& client) { return client.stream({}, [](std::string_view) { return false; }); });
  EXPECT_TRUE(response);
}

TEST(Client, GivesUpAtItsTimeout) {
  TestServer server([](Exchange& exchange) -> Task<void> { co_await exchange.peer_gone(); });
  const auto response = with_client(server.endpoint(), [](Client& client) { return client.send({.timeout = 20ms}); });
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kDeadline);
  EXPECT_TRUE(server.wait_for_no_connections());
}

TEST(Client, ReportsAServerThatIsNotThere) {
  tcp::endpoint endpoint;
  {
    TestServer server(echo);
    endpoint = server.endpoint();
  }
  const auto response = with_client(endpoint, [](Client& client) { return client.send({}); });
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(response.error().detail, StartsWith("connecting to 127.0.0.1:"));
}

TEST(Client, RefusesRepliesThatAreMalformedOrTooLarge) {
  ScriptedServer server(
      {{"nonsense\r\n\r\n"}, {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x')}});
  with_client(server.endpoint(), [](Client& client) -> Task<bool> {
    const auto malformed = co_await client.send({});
    EXPECT_EQ(malformed.error().kind, ErrorKind::kUpstream);
    const auto large = co_await client.send({.response_bytes = 99});
    EXPECT_EQ(large.error().kind, ErrorKind::kUpstream);
    co_return true;
  });
}

TEST(Client, SkipsInterimReplies) {
  ScriptedServer server({{"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"}});
  const auto response = with_client(server.endpoint(), [](Client& client) { return client.send({}); });
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "a");
}

TEST(Client, RefusesRequestsThatWouldForgeAnother) {
  TestServer server(echo);
  with_client(server.endpoint(), [](Client& client) -> Task<bool> {
    const std::vector<ClientRequest> requests = {{.method = "GET /x"},
                                                 {.target = "/a b"},
                                                 {.target = "/\r\n"},
                                                 {.headers = {{"X", "a\r\nY: b"}}},
                                                 {.headers = {{"", ""}}}};
    for (const ClientRequest& request : requests) {
      const auto response = co_await client.send(request);
      EXPECT_EQ(response.error().kind, ErrorKind::kInvalid);
    }
    co_return true;
  });
}

TEST(Client, TakesHttpOriginsOnly) {
  asio::io_context context;
  for (const std::string_view origin : {"http://a", "http://127.0.0.1:80/", "http://[::1]:8080"}) {
    EXPECT_TRUE(Client::create(context.get_executor(), origin)) << origin;
  }
  for (const std::string_view origin : {"", "a:80", "ftp://a", "http://", "http://a/b", "http://u@a", "http://a?b"}) {
    EXPECT_FALSE(Client::create(context.get_executor(), origin)) << origin;
  }
  EXPECT_THAT(Client::create(context.get_executor(), "https://a").error().detail, HasSubstr("TLS"));
}

}  // namespace
}  // namespace hotswap::net
