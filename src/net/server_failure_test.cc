// What the server does about slow clients, failing handlers, vanishing clients and its own end.
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <gmock/gmock.h>

#include <thread>

#include "net/test_server.h"

namespace hotswap::net {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

ServerOptions quick(std::chrono::milliseconds idle, std::chrono::milliseconds head,
                    std::chrono::milliseconds body_progress) {
  return {.timeouts = {.idle = idle, .head = head, .body_progress = body_progress, .linger = 1s, .drain_idle = 50ms}};
}

// Holds handlers back until the test opens it. Everything runs on the server's one thread, but open().
class Gate {
 public:
  Task<void> pass() {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    entered.update([&] { ++inside; });
    while (!open_) {
      timer.expires_after(1ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }
  void open() { open_ = true; }
  bool wait_for(int count) {
    return entered.wait([&] { return inside >= count; });
  }

  Signal entered;
  int inside = 0;

 private:
  std::atomic<bool> open_ = false;
};

int count(std::string_view text, std::string_view what) {
  int found = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

// ---- slow clients

TEST(SlowClient, IdleConnectionsAreClosed) {
  TestServer server(echo, quick(20ms, 10s, 10s));
  auto silent = server.connect();
  EXPECT_THAT(silent.read_to_end(), IsEmpty());
  EXPECT_TRUE(silent.ended());
  auto served = server.connect();
  served.send(kGet);
  EXPECT_THAT(served.read_to_end(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(served.ended());
}

TEST(SlowClient, AHeadThatTakesTooLongIsRefused) {
  TestServer server(echo, quick(10s, 20ms, 10s));
  auto client = server.connect();
  client.send("GET / HTTP/1.1\r\nHo");
  EXPECT_THAT(client.read_to_end(), AllOf(StartsWith("HTTP/1.1 408"), HasSubstr("head did not arrive in time")));
}

TEST(SlowClient, ABodyWithoutProgressIsRefused) {
  TestServer server(echo, quick(10s, 10s, 20ms));
  auto client = server.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_THAT(client.read_to_end(), AllOf(StartsWith("HTTP/1.1 408"), HasSubstr("body did not arrive in time")));
}

TEST(SlowClient, AReplyThatIsNotTakenIsCut) {
  Signal signal;
  std::optional<Result<>> written;
  TestServer server(
      [&](Exchange& exchange) -> Task<void> {
        const std::string large(64 * limits::kMiB, 'x');
        const auto result = co_await exchange.reply(200, "", large);
        signal.update([&] { written = result; });
      },
      quick(10s, 10s, 20ms));
  auto client = server.connect();
  client.send(kGet);
  ASSERT_TRUE(signal.wait([&] { return written.has_value(); }));
  EXPECT_EQ(written->error().kind, ErrorKind::kUnavailable);
  EXPECT_TRUE(server.wait_for_no_connections());
}

TEST(SlowClient, HandlersMayTakeLongerThanAnyTimeout) {
  TestServer server(
      [](Exchange& exchange) -> Task<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 100ms);
        co_await timer.async_wait(asio::use_awaitable);
        std::ignore = co_await exchange.reply(200, "", "late");
      },
      quick(10ms, 10ms, 10ms));
  auto client = server.connect();
  client.send(kGet);
  EXPECT_THAT(client.read_reply(), EndsWith("late"));
}

// ---- replies that wait for others of their turn, which they do only where a thread has several connections

TEST(WaitingReply, ReachesAClientThatHasFinishedSending) {
  TestServer server(echo);
  auto other = server.connect();
  other.send(kGet);
  other.read_reply();
  auto client = server.connect();
  client.send(kGet);
  client.finish_sending();
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(client.ended());
}

TEST(WaitingReply, OfManyToAClientThatDoesNotReadComeWholeAndInOrder) {
  constexpr int kReplies = 4000;  // far more bytes than a socket holds
  int count = 0;
  TestServer server([&count](Exchange& exchange) -> Task<void> {
    std::string body = std::to_string(count++) + ' ';
    body.resize(4000, 'x');
    std::ignore = co_await exchange.reply(200, "", body);
  });
  auto other = server.connect();
  auto client = server.connect();
  for (int i = 0; i < kReplies; ++i) ASSERT_TRUE(client.send(kGet));
  for (int i = 0; i < kReplies; ++i) {
    ASSERT_THAT(client.read_reply(), HasSubstr("\r\n\r\n" + std::to_string(i) + " x")) << i;
  }
}

// ---- failing handlers

TEST(FailingHandler, WithoutAReplyIsAnsweredWith500) {
  TestServer server([](Exchange&) -> Task<void> { co_return; });
  auto client = server.connect();
  client.send(kGet + kGet);
  EXPECT_THAT(client.read_reply(), AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("application/problem+json")));
  EXPECT_THAT(client.read_reply(), StartsWith("HTTP/1.1 500"));
}

TEST(FailingHandler, ThatThrowsIsAnsweredWith500) {
  const auto at_once = [](Exchange&) -> Task<void> { throw std::runtime_error("secret"); };
  const auto later = [](Exchange&) -> Task<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    throw std::runtime_error("secret");
  };
  for (const Handler& handler : {Handler(at_once), Handler(later)}) {
    TestServer server(handler);
    auto client = server.connect();
    client.send(kGet);
    EXPECT_THAT(client.read_to_end(), AllOf(StartsWith("HTTP/1.1 500"), testing::Not(HasSubstr("secret"))));
  }
}

TEST(FailingHandler, WithinItsReplyCutsTheConnection) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    std::ignore = co_await exchange.begin(200, {}, std::nullopt);
    if (exchange.path() == "/throw") throw std::runtime_error("half-way");
    if (exchange.path() == "/abort") exchange.abort();
  });
  for (const std::string_view path : {"/throw", "/abort", "/return"}) {
    auto client = server.connect();
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_to_end();
    EXPECT_TRUE(client.reset()) << path;
  }
}

TEST(FailingHandler, CannotSendAnotherLengthThanItStated) {
  Signal signal;
  std::vector<Result<>> results;
  TestServer server([&](Exchange& exchange) -> Task<void> {
    const std::string_view text = "text";
    std::ignore = co_await exchange.begin(200, {}, exchange.path() == "/long" ? 3 : 5);
    auto result = co_await exchange.write(std::as_bytes(std::span(text)));
    if (result) result = co_await exchange.finish();
    signal.update([&] { results.push_back(result); });
  });
  for (const std::string_view path : {"/long", "/short"}) {
    auto client = server.connect();
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_to_end();
    EXPECT_TRUE(client.reset());
  }
  ASSERT_TRUE(signal.wait([&] { return results.size() == 2; }));
  for (const auto& result : results) EXPECT_EQ(result.error().kind, ErrorKind::kInternal);
}

TEST(FailingHandler, CannotForgeHeadersOrReplyTwice) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    const Header forged{"X", "a\r\nSet-Cookie: b"};
    const auto first = co_await exchange.reply(200, "", "", {&forged, 1});
    EXPECT_EQ(first.error().kind, ErrorKind::kInternal);
    EXPECT_FALSE(exchange.replied());
    EXPECT_TRUE(co_await exchange.reply(200, "", "ok"));
    EXPECT_FALSE(co_await exchange.reply(200, "", "again"));
  });
  auto client = server.connect();
  client.send(kGet + kGet);
  EXPECT_THAT(client.read_reply(), EndsWith("\r\n\r\nok"));
  EXPECT_THAT(client.read_reply(), EndsWith("\r\n\r\nok"));
}

// ---- vanishing clients

TEST(PeerGone, CompletesWhenTheClientCloses) {
  using namespace asio::experimental::awaitable_operators;
  Signal signal;
  int waiting = 0;
  int gone = 0;
  TestServer server([&](Exchange& exchange) -> Task<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    signal.update([&] { ++waiting; });
    const auto first = co_await (exchange.peer_gone() || timer.async_wait(asio::use_awaitable));
    signal.update([&] { gone += first.index() == 0 ? 1 : 0; });
  });
  auto plain = server.connect();
  plain.send(kGet);
  auto pipelining = server.connect();
  pipelining.send(kGet + kGet);
  ASSERT_TRUE(signal.wait([&] { return waiting == 2; }));
  pipelining.send(kGet);
  plain.close();
  pipelining.close();
  EXPECT_TRUE(signal.wait([&] { return gone >= 2; }));
  EXPECT_TRUE(server.wait_for_no_connections());
}

TEST(PeerGone, LosesNothingOfTheNextRequest) {
  using namespace asio::experimental::awaitable_operators;
  Gate gate;
  TestServer server([&](Exchange& exchange) -> Task<void> {
    if (exchange.path() == "/") {
      EXPECT_EQ((co_await (exchange.peer_gone() || gate.pass())).index(), 1);
    }
    co_await echo(exchange);
  });
  auto client = server.connect();
  client.send(kGet);
  ASSERT_TRUE(gate.wait_for(1));
  client.send("POST /next HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
  gate.open();
  EXPECT_THAT(client.read_reply(), EndsWith("GET /  "));
  client.send("bc");
  EXPECT_THAT(client.read_reply(), EndsWith("POST /next  abc"));
}

// ---- the server's end

TEST(Drain, WithoutConnectionsIsDoneAtOnce) {
  TestServer server(echo, {}, 2);
  EXPECT_EQ(run(server.server().drain(10s)), 0);
}

TEST(Drain, LetsRequestsInFlightEndAndClosesIdleConnections) {
  Gate gate;
  TestServer server(
      [&](Exchange& exchange) -> Task<void> {
        if (exchange.path() == "/wait") co_await gate.pass();
        co_await echo(exchange);
      },
      quick(10s, 10s, 10s));
  auto idle = server.connect();
  idle.send(kGet);
  idle.read_reply();
  auto begun = server.connect();
  begun.send("GET /begun HT");
  auto busy = server.connect();
  busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(gate.wait_for(1));

  std::thread client([&] {
    EXPECT_THAT(idle.read_to_end(), IsEmpty());
    EXPECT_TRUE(idle.ended());
    begun.send("TP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(begun.read_to_end(), AllOf(HasSubstr("Connection: close\r\n"), EndsWith("GET /begun  ")));
    gate.open();
    EXPECT_THAT(busy.read_to_end(), AllOf(HasSubstr("Connection: close\r\n"), EndsWith("GET /wait  ")));
  });
  EXPECT_EQ(run(server.server().drain(10s)), 0);
  client.join();
}

TEST(Drain, ServesWhatAClientHasPipelined) {
  Gate gate;
  TestServer server([&](Exchange& exchange) -> Task<void> {
    co_await gate.pass();
    co_await echo(exchange);
  });
  auto client = server.connect();
  client.send(kGet + kGet + kGet);
  ASSERT_TRUE(gate.wait_for(1));
  std::thread opener([&] {
    // Draining has begun once nobody is accepted any more.
    while (RawClient::can_connect(server.endpoint())) std::this_thread::yield();
    gate.open();
  });
  EXPECT_EQ(run(server.server().drain(10s)), 0);
  opener.join();
  const std::string replies = client.read_to_end();
  EXPECT_EQ(count(replies, "HTTP/1.1 200"), 3);
  EXPECT_EQ(count(replies, "Connection: close"), 1);
}

TEST(Drain, CutsWhatDoesNotEndInTime) {
  Gate gate;
  TestServer server([&](Exchange&) -> Task<void> { co_await gate.pass(); });
  auto client = server.connect();
  client.send(kGet);
  ASSERT_TRUE(gate.wait_for(1));
  EXPECT_EQ(run(server.server().drain(20ms)), 1);
  EXPECT_THAT(client.read_to_end(), IsEmpty());
  EXPECT_TRUE(server.wait_for_no_connections()) << "the handler was not cancelled";
}

TEST(Drain, DropsNoRequestOfBusyClients) {
  TestServer server(echo, quick(10s, 10s, 10s), 2);
  std::vector<std::thread> clients;
  Signal signal;
  int busy = 0;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      auto client = server.connect();
      for (int requests = 0;; ++requests) {
        if (requests == 3) signal.update([&] { ++busy; });
        EXPECT_TRUE(client.send(kGet));
        const std::string reply = client.read_reply();
        EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
        if (reply.empty() || reply.contains("Connection: close")) return;
      }
    });
  }
  EXPECT_TRUE(signal.wait([&] { return busy == 8; }));
  EXPECT_EQ(run(server.server().drain(10s)), 0);
  for (auto& client : clients) client.join();
}

TEST(Server, ClosesEverythingWhenItIsDestroyed) {
  Gate gate;
  SystemClock clock;
  SystemRandom random;
  Tracer tracer(clock, random);
  Metrics metrics;
  IoThreads threads(1);
  auto server = *Server::start(
      threads, {.name = "x", .listen = *parse_endpoint("127.0.0.1:0")},
      [&](Exchange&) -> Task<void> { co_await gate.pass(); }, tracer, metrics);
  RawClient client(server->endpoint());
  client.send(kGet);
  ASSERT_TRUE(gate.wait_for(1));
  server.reset();
  EXPECT_THAT(client.read_to_end(), IsEmpty());
  threads.stop();
}

}  // namespace
}  // namespace hotswap::net
