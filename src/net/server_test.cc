#include "net/server.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "net/sse.h"
#include "net/test_server.h"

namespace hotswap::net {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string get(std::string_view target, std::string_view headers = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n";
}

std::string post(std::string_view body, std::string_view headers = {}) {
  return "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

TEST(Server, AnswersOneRequestAfterTheOtherOnAConnection) {
  TestServer server(echo);
  auto client = server.connect();
  for (int i = 0; i < 3; ++i) {
    client.send(get("/a?b=" + std::to_string(i)));
    EXPECT_THAT(client.read_reply(),
                AllOf(StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), Not(HasSubstr("Connection")),
                      EndsWith("GET /a b=" + std::to_string(i) + " ")));
  }
  EXPECT_EQ(server.requests(), 3);
  EXPECT_EQ(server.connections(), 1);
  client.close();
  EXPECT_TRUE(server.wait_for_no_connections());
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  TestServer server(echo);
  auto client = server.connect();
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += i % 2 == 0 ? get("/" + std::to_string(i)) : post(std::to_string(i));
  std::thread sender([&] { client.send(requests); });
  for (int i = 0; i < 200; ++i) {
    const std::string text = std::to_string(i);
    EXPECT_THAT(client.read_reply(), EndsWith(i % 2 == 0 ? "GET /" + text + "  " : "POST /p  " + text));
  }
  sender.join();
}

TEST(Server, TakesARequestByteByByte) {
  TestServer server(echo);
  auto client = server.connect();
  for (const char c : post("hello")) client.send({&c, 1});
  EXPECT_THAT(client.read_reply(), EndsWith("POST /p  hello"));
}

TEST(Server, DecodesAChunkedBodyAndItsTrailers) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    EXPECT_EQ(exchange.body_size(), std::nullopt);
    const auto body = co_await exchange.read_all(100);
    const std::string text = *body + "|" + std::string(exchange.trailers()["X-Sum"]) + "|" +
                             std::to_string(exchange.headers().count("X-Sum"));
    std::ignore = co_await exchange.reply(200, "text/plain", text);
  });
  const std::string request =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n";
  auto client = server.connect();
  client.send(request + request);
  EXPECT_THAT(client.read_reply(), EndsWith("hello world|11|0"));
  EXPECT_THAT(client.read_reply(), EndsWith("hello world|11|0"));
  for (const char c : request) client.send({&c, 1});
  EXPECT_THAT(client.read_reply(), EndsWith("hello world|11|0"));
}

TEST(Server, StreamsALargeBodyBothWays) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    std::vector<std::byte> bytes(50'000);
    const auto size = exchange.body_size();
    if (!co_await exchange.begin(200, {}, size)) co_return;
    for (;;) {
      const auto count = co_await exchange.read_some(bytes);
      if (!count || *count == 0) break;
      if (!co_await exchange.write(std::span(bytes).first(*count))) co_return;
    }
    std::ignore = co_await exchange.finish();
  });
  std::string body(8 * limits::kMiB, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 >> 3);
  auto client = server.connect();
  for (const bool chunked : {false, true}) {
    std::thread sender([&] {
      if (!chunked) {
        client.send(post(body));
        return;
      }
      client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n");
      client.send(body);
      client.send("\r\n0\r\n\r\n");
    });
    const std::string head = client.read_until("\r\n\r\n");
    std::string echoed;
    if (!chunked) {
      EXPECT_THAT(head, HasSubstr("Content-Length: 8388608\r\n"));
      echoed = client.read_exactly(body.size());
    } else {
      EXPECT_THAT(head, HasSubstr("Transfer-Encoding: chunked\r\n"));
      while (const std::size_t size = std::stoul(client.read_until("\r\n"), nullptr, 16)) {
        echoed += client.read_exactly(size);
        client.read_until("\r\n");
      }
      client.read_until("\r\n");
    }
    EXPECT_TRUE(echoed == body);
    sender.join();
  }
}

TEST(Server, LetsOthersHaveTurnsWhileALargeReplyLeaves) {
  constexpr std::size_t kPieces = 64;
  const std::string body(kPieces * limits::kReplyPiece, 'x');
  std::atomic<std::size_t> turns = 0;
  TestServer server([&](Exchange& exchange) -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    bool sent = false;
    bool ended = false;
    // Another that always has something to do.
    std::function<void()> other = [&] {
      ++turns;
      if (!sent) return asio::post(executor, other);
      ended = true;
    };
    asio::post(executor, other);
    std::ignore = co_await exchange.reply(200, "text/plain", body);
    sent = true;
    while (!ended) co_await asio::post(executor, asio::use_awaitable);
  });
  auto client = server.connect();
  client.send(get("/"));
  EXPECT_THAT(client.read_reply(), EndsWith(body));
  client.close();
  EXPECT_TRUE(server.wait_for_no_connections());
  EXPECT_GE(turns.load(), kPieces - 1);
}

TEST(Server, StreamsChunksAndTrailers) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    const Header type{"Content-Type", "text/plain"};
    const Header sum{"X-Sum", "2"};
    std::ignore = co_await exchange.begin(201, {&type, 1}, std::nullopt);
    for (const std::string_view piece : {"ab", "", "c"}) {
      std::ignore = co_await exchange.write(std::as_bytes(std::span(piece)));
    }
    std::ignore = co_await exchange.finish({&sum, 1});
  });
  auto client = server.connect();
  client.send(get("/") + "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/"));
  const std::string chunks = "2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 2\r\n\r\n";
  EXPECT_THAT(client.read_until("\r\n\r\n"), AllOf(StartsWith("HTTP/1.1 201 Created\r\n"), HasSubstr("chunked")));
  EXPECT_EQ(client.read_exactly(chunks.size()), chunks);
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 201 Created\r\n"));  // HEAD: no body
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 201 Created\r\n"));
  EXPECT_EQ(client.read_exactly(chunks.size()), chunks);
}

TEST(Server, AnswersHeadWithTheLengthAlone) {
  TestServer server(echo);
  auto client = server.connect();
  client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + get("/b"));
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("Content-Length: 9\r\n"));
  EXPECT_THAT(client.read_reply(), EndsWith("GET /b  "));
}

TEST(Server, SendsContinueOnlyWhenTheBodyIsRead) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    if (exchange.path() == "/no") {
      std::ignore = co_await exchange.reply(403, "", "");
    } else {
      co_await echo(exchange);
    }
  });
  auto client = server.connect();
  client.send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  EXPECT_THAT(client.read_reply(), EndsWith("POST /p  ab"));
  client.send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("Connection: close")));
}

TEST(Server, KeepsHttp10ConnectionsOnlyWhereAsked) {
  TestServer server(echo);
  auto client = server.connect();
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(client.read_reply(), HasSubstr("Connection: keep-alive\r\n"));
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Connection: close\r\n")));
}

TEST(Server, EndsAnUnsizedReplyToHttp10WithTheConnection) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    std::ignore = co_await exchange.begin(200, {}, std::nullopt);
    std::ignore = co_await exchange.write(std::as_bytes(std::span(std::string_view("text"))));
    std::ignore = co_await exchange.finish();
  });
  auto client = server.connect();
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), AllOf(Not(HasSubstr("chunked")), EndsWith("\r\n\r\ntext")));
}

TEST(Server, ClosesWhereTheClientOrTheHandlerAsks) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    const Header close{"Connection", "close"};
    std::ignore = co_await exchange.reply(200, "", "x", std::span(&close, exchange.path() == "/close" ? 1 : 0));
  });
  auto first = server.connect();
  first.send(get("/", "Connection: close\r\n"));
  EXPECT_THAT(first.read_to_end(), HasSubstr("Connection: close\r\n"));
  auto second = server.connect();
  second.send(get("/close"));
  EXPECT_THAT(second.read_to_end(), HasSubstr("Connection: close\r\n"));
}

TEST(Server, DeliversMethodsThatItDoesNotKnow) {
  TestServer server(echo);
  auto client = server.connect();
  client.send("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.read_reply(), EndsWith("BREW /pot  "));
}

TEST(Server, ContinuesTheTraceOfTheRequest) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    std::ignore = co_await exchange.reply(200, "", exchange.trace().traceparent());
  });
  auto client = server.connect();
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  client.send(get("/", "traceparent: " + parent + "\r\n"));
  EXPECT_THAT(client.read_reply(), AllOf(HasSubstr("traceparent: " + parent + "\r\n"), EndsWith(parent)));
  client.send(get("/", "traceparent: nonsense\r\n"));
  const std::string first = client.read_reply();
  client.send(get("/"));
  const std::string second = client.read_reply();
  EXPECT_THAT(first, HasSubstr("traceparent: " + first.substr(first.size() - 55) + "\r\n"));
  EXPECT_NE(first.substr(first.size() - 55), second.substr(second.size() - 55));
  EXPECT_TRUE(parse_traceparent(std::string_view(second).substr(second.size() - 55)));
}

TEST(Server, GivesTheBytesOfTheBodyThatCameWithTheHead) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    const std::string_view buffered = exchange.buffered_body();
    const bool whole = exchange.body_done();
    const auto rest = co_await exchange.read_all(1 * limits::kMiB);
    const std::string text = std::string(buffered) + (whole ? "!" : "+") + *rest;
    std::ignore = co_await exchange.reply(200, "", text);
  });
  auto client = server.connect();
  client.send(post("hello") + post("", ""));
  EXPECT_THAT(client.read_reply(), EndsWith("\r\n\r\nhello!"));
  EXPECT_THAT(client.read_reply(), EndsWith("\r\n\r\n!"));
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  EXPECT_THAT(client.read_reply(), EndsWith("\r\n\r\nabc!"));
  const std::string large(100'000, 'x');
  client.send(post(large));
  std::string reply = client.read_reply();
  std::erase(reply, '+');
  std::erase(reply, '!');
  EXPECT_THAT(reply, EndsWith("\r\n\r\n" + large));
}

TEST(Server, StreamsServerSentEvents) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    EventStream events(exchange);
    const std::string last = last_event_id(exchange);
    EXPECT_TRUE(co_await events.begin(500ms));
    EXPECT_TRUE(co_await events.send({.id = "8", .event = "step", .data = last}));
    EXPECT_TRUE(co_await events.heartbeat());
    EXPECT_TRUE(co_await events.finish());
  });
  for (const std::string& request : {get("/?lastEventId=7"), get("/", "Last-Event-ID: 7\r\n")}) {
    auto client = server.connect();
    client.send(request);
    EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"));
    EXPECT_EQ(client.read_until("0\r\n\r\n"),
              "c\r\nretry: 500\n\n\r\n1b\r\nid: 8\nevent: step\ndata: 7\n\n\r\n3\r\n:\n\n\r\n0\r\n\r\n");
  }
}

// ---- what is refused

struct BadInput {
  std::string request;
  std::string status;
};

TEST(Server, RefusesBadRequestsWithAProblemAndCloses) {
  TestServer server(echo, {.header_bytes = 2000, .url_bytes = 1000});
  const std::vector<BadInput> cases = {
      {"nonsense\r\n\r\n", "400"},
      {"GET / HTTP/2.0\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},  // no Host
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01"
       "b\r\n\r\n",
       "400"},
      {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "400"},
      {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", "400"},
      {get("/" + std::string(1500, 'u')), "414"},
      {get("/", "X: " + std::string(3000, 'h') + "\r\n"), "431"},
      {"GET / HTTP/1.1\r\nHost: a\r\n" + std::string(10'000, 'h'), "431"},  // and never an end
      {std::string(10'000, 'G'), "431"},
  };
  for (const auto& [request, status] : cases) {
    for (const bool slowly : {false, true}) {
      auto client = server.connect();
      bool sent = true;
      for (std::size_t at = 0; at < request.size() && sent; at += slowly ? 97 : request.size()) {
        sent = client.send(std::string_view(request).substr(at, slowly ? 97 : request.size()));
      }
      client.finish_sending();
      EXPECT_THAT(client.read_to_end(), AllOf(StartsWith("HTTP/1.1 " + status), HasSubstr("application/problem+json"),
                                              HasSubstr("Connection: close\r\n"), HasSubstr("\"traceId\":")))
          << request.substr(0, 80);
    }
  }
}

TEST(Server, RefusesManySmallHeadersThatExceedTheBoundTogether) {
  TestServer server(echo, {.header_bytes = 2000});
  auto client = server.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n");
  for (int i = 0; i < 500 && client.send("X: some value\r\n"); ++i) {
  }
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 431"));
}

TEST(Server, RefusesABodyThatIsTooLargeAndStillDeliversTheReply) {
  TestServer server([](Exchange& exchange) -> Task<void> {
    const auto body = co_await exchange.read_all(1000);
    EXPECT_EQ(body.error().kind, ErrorKind::kTooLarge);
    std::ignore = co_await reply_problem(exchange, body.error());
  });
  auto stated = server.connect();
  const std::string large(4 * limits::kMiB, 'x');
  stated.send(post(large));
  EXPECT_THAT(stated.read_to_end(), AllOf(StartsWith("HTTP/1.1 413"), HasSubstr("Connection: close\r\n")));
  auto chunked = server.connect();
  chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n" + large);
  EXPECT_THAT(chunked.read_to_end(), StartsWith("HTTP/1.1 413"));
}

TEST(Server, ReadsOnWhereAHandlerLeftASmallBody) {
  TestServer server(
      [](Exchange& exchange) -> Task<void> { std::ignore = co_await exchange.reply(200, "", exchange.path()); });
  auto client = server.connect();
  client.send(post(std::string(100'000, 'x')) + get("/next"));
  EXPECT_THAT(client.read_reply(), EndsWith("/p"));
  EXPECT_THAT(client.read_reply(), EndsWith("/next"));
}

TEST(Server, RefusesConnectionsBeyondItsBound) {
  TestServer server(echo, {.connections_per_thread = 1});
  auto first = server.connect();
  first.send(get("/"));
  EXPECT_THAT(first.read_reply(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(server.connect().read_to_end(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("bound of connections")));
  first.send(get("/"));
  EXPECT_THAT(first.read_reply(), StartsWith("HTTP/1.1 200"));
}

TEST(Server, SaysThatItsPortIsTaken) {
  TestServer server(echo);
  IoThreads threads(1);
  SystemClock clock;
  SystemRandom random;
  Tracer tracer(clock, random);
  Metrics metrics;
  const auto second = Server::start(threads, {.name = "x", .listen = server.endpoint()}, echo, tracer, metrics);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().detail, HasSubstr("in use"));
}

TEST(Server, ServesOnEveryThread) {
  Signal signal;
  std::set<std::size_t> seen;
  TestServer server(
      [&](Exchange& exchange) -> Task<void> {
        signal.update([&] { seen.insert(IoThreads::current()); });
        std::ignore = co_await exchange.reply(200, "", "");
      },
      {}, 2);
  for (int i = 0; i < 200; ++i) {
    auto client = server.connect();
    client.send(get("/"));
    client.read_reply();
  }
  EXPECT_EQ(seen, (std::set<std::size_t>{0, 1}));
  EXPECT_EQ(IoThreads::current(), IoThreads::kNone);
}

}  // namespace
}  // namespace hotswap::net
