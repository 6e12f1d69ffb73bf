#include "forward/forwarder.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/router.h"
#include "net/test_server.h"

namespace hotswap::forward {
namespace {

using namespace asio::experimental::awaitable_operators;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

// A front that forwards whatever comes to the peers of the test.
class Forwarding : public testing::Test {
 protected:
  ~Forwarding() override {
    front_.reset();
    nodes_.clear();
    threads_.stop();
  }
  std::unique_ptr<net::Server> serve(net::Handler handler) {
    net::ServerOptions options;
    options.listen = *net::parse_endpoint("127.0.0.1:0");
    return *net::Server::start(threads_, std::move(options), std::move(handler), tracer_, metrics_);
  }
  // A node that answers with its name and what it was sent.
  Peer node(const std::string& name, unsigned status = 200) {
    nodes_.push_back(serve([name, status](net::Exchange& exchange) -> Task<void> {
      const auto body = co_await exchange.read_all(1024);
      const bool marked = exchange.headers().count(kForwardedHeader) > 0;
      std::ignore = co_await exchange.reply(status, "text/plain",
                                            name + (marked ? " forwarded " : " direct ") + body.value_or(""));
    }));
    return {NodeId(name), nodes_.back()->url()};
  }
  // Whose port nobody listens on any more.
  Peer gone(const std::string& name) {
    Peer peer = node(name);
    nodes_.pop_back();
    return peer;
  }
  // A node that sends back what it gets, as it gets it.
  Peer echoing(const std::string& name) {
    nodes_.push_back(serve([](net::Exchange& exchange) -> Task<void> {
      std::ignore = co_await exchange.begin(200, {}, exchange.body_size());
      std::array<std::byte, 10'000> piece;
      for (;;) {
        const auto count = co_await exchange.read_some(piece);
        if (!count || *count == 0) break;
        if (!co_await exchange.write(std::span(piece).first(*count))) break;
      }
      std::ignore = co_await exchange.finish();
    }));
    return {NodeId(name), nodes_.back()->url()};
  }
  net::Server& front(std::vector<Peer> peers) {
    peers_ = std::move(peers);
    if (front_ == nullptr) {
      front_ = serve([this](net::Exchange& exchange) -> Task<void> {
        const auto done = co_await forwarder_.forward(exchange, std::string(exchange.buffered_body()), peers_);
        if (!done && !exchange.replied()) std::ignore = co_await net::reply_problem(exchange, done.error());
      });
    }
    return *front_;
  }
  net::ClientResponse post(std::vector<Peer> peers, const std::string& body = "hello") {
    net::ClientRequest request;
    request.method = "POST";
    request.body = body;
    asio::io_context io{1};
    const auto client = *net::Client::create(io.get_executor(), front(std::move(peers)).url());
    auto reply = asio::co_spawn(io, client->send(std::move(request)), asio::use_future);
    io.run();
    return reply.get().value();
  }
  // Reads the reply while it sends, as whoever streams both ways must.
  net::ClientResponse stream(std::vector<Peer> peers, const std::string& body, bool size_known = true) {
    return net::run([](std::string url, std::string sent, bool known) -> Task<net::ClientResponse> {
      const auto client = *net::Client::create(co_await asio::this_coro::executor, url);
      net::ClientRequest request;
      request.method = "POST";
      const auto size = known ? std::optional<std::uint64_t>(sent.size()) : std::nullopt;
      const auto opened = *co_await client->open(std::move(request), size);
      const auto send = [](net::ClientStream& to, const std::string& all) -> Task<void> {
        constexpr std::size_t kPiece = 33'333;
        for (std::size_t at = 0; at < all.size(); at += kPiece) {
          const auto bytes = std::as_bytes(std::span(all)).subspan(at);
          if (!co_await to.write(bytes.first(std::min(kPiece, bytes.size())))) co_return;
        }
        std::ignore = co_await to.finish({});
      };
      const auto receive = [](net::ClientStream& from) -> Task<net::ClientResponse> {
        auto response = co_await from.head();
        if (!response) co_return net::ClientResponse{};
        std::array<std::byte, 20'000> piece;
        for (;;) {
          const auto count = co_await from.read_some(piece);
          if (!count || *count == 0) break;
          response->body.append(reinterpret_cast<const char*>(piece.data()), *count);
        }
        co_return *std::move(response);
      };
      co_return co_await (send(*opened, sent) && receive(*opened));
    }(front(std::move(peers)).url(), body, size_known));
  }

  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
  // Of handlers, which may still run when a test ends.
  std::atomic<bool> heard_{false};
  net::Signal seen_;
  bool begun_ = false;
  bool gone_ = false;
  net::IoThreads threads_{1};
  Forwarder forwarder_{threads_, clock_, random_, metrics_};
  std::vector<Peer> peers_;
  std::vector<std::unique_ptr<net::Server>> nodes_;
  std::unique_ptr<net::Server> front_;
};

TEST_F(Forwarding, AnswersWithWhatTheNodeAnswered) {
  const auto reply = post({node("a")});
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.body, "a forwarded hello");
  EXPECT_EQ(reply.header("content-type"), "text/plain");
  EXPECT_EQ(post({node("b", 404)}).status, 404U);
}

TEST_F(Forwarding, TriesAnotherNodeWhereTheFirstCannotBeReached) {
  const std::vector<Peer> peers{gone("a"), node("b")};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(post(peers).body, "b forwarded hello");
  EXPECT_GE(metrics_.counter("wasm.requests.forwarded.total", "").value(), 20U);
}

TEST_F(Forwarding, DoesNotRepeatWhatANodeMayHaveBegun) {
  int asked = 0;
  const auto breaking = [&](const std::string& name) {
    nodes_.push_back(serve([&asked](net::Exchange& exchange) -> Task<void> {
      ++asked;
      exchange.abort();
      co_return;
    }));
    return Peer{NodeId(name), nodes_.back()->url()};
  };
  const auto reply = post({breaking("a"), breaking("b")});
  EXPECT_EQ(reply.status, 502U);
  EXPECT_EQ(asked, 1);
}

TEST_F(Forwarding, TriesAnotherNodeWhereTheFirstDoesNotServeIt) {
  nodes_.push_back(serve([](net::Exchange& exchange) -> Task<void> {
    const std::array headers{net::Header{kNotHereHeader, "1"}};
    std::ignore = co_await exchange.reply(503, "text/plain", "no", headers);
  }));
  const Peer without{NodeId("a"), nodes_.back()->url()};
  const std::vector<Peer> peers{without, node("b")};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(post(peers).body, "b forwarded hello");
  EXPECT_EQ(post({without}).status, 503U);
}

TEST_F(Forwarding, RepeatsTheWholeBodyForTheSecondNode) {
  nodes_.push_back(serve([](net::Exchange& exchange) -> Task<void> {
    const std::array headers{net::Header{kNotHereHeader, "1"}};
    std::ignore = co_await exchange.reply(503, "text/plain", "no", headers);
  }));
  const Peer without{NodeId("a"), nodes_.back()->url()};
  const std::string body(200'000, 'x');
  for (int i = 0; i < 10; ++i) EXPECT_EQ(stream({without, echoing("b")}, body).body, body);
}

// Of 5 MB, no two stretches of which are the same.
std::string large_body() {
  SeededRandom random(7);
  std::string body;
  while (body.size() < 5'000'000) body += std::to_string(random.next());
  return body;
}

TEST_F(Forwarding, StreamsLargeBodiesBothWaysAtOnce) {
  const std::string body = large_body();
  EXPECT_EQ(stream({echoing("a")}, body).body, body);
  // Of unknown size, which goes in chunks.
  EXPECT_EQ(stream({echoing("b")}, body, false).body, body);
}

TEST_F(Forwarding, PassesOnWhatTheNodeHasSaidBeforeItHasSaidEverything) {
  nodes_.push_back(serve([this](net::Exchange& exchange) -> Task<void> {
    const std::array headers{net::Header{"Content-Type", "text/event-stream"}};
    std::ignore = co_await exchange.begin(200, headers, std::nullopt);
    std::ignore = co_await exchange.write(std::as_bytes(std::span("data: 1\n\n", 9)));
    asio::steady_timer timer(co_await asio::this_coro::executor);
    // The end comes when the client has the beginning.
    while (!heard_.load()) {
      timer.expires_after(std::chrono::milliseconds(1));
      co_await timer.async_wait(asio::use_awaitable);
    }
    std::ignore = co_await exchange.finish();
  }));
  const Peer peer{NodeId("a"), nodes_.back()->url()};
  net::RawClient client(front({peer}).endpoint());
  client.send("GET /events HTTP/1.1\r\nHost: shop.example\r\n\r\n");
  EXPECT_THAT(client.read_until("data: 1\n\n"), HasSubstr("text/event-stream"));
  heard_ = true;
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "\r\n0\r\n\r\n");
}

TEST_F(Forwarding, CutsTheClientOffWhereTheNodeBreaksOffWithinItsReply) {
  nodes_.push_back(serve([](net::Exchange& exchange) -> Task<void> {
    std::ignore = co_await exchange.begin(200, {}, std::nullopt);
    std::ignore = co_await exchange.write(std::as_bytes(std::span("half", 4)));
    exchange.abort();
  }));
  net::RawClient client(front({{NodeId("a"), nodes_.back()->url()}}).endpoint());
  client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), EndsWith("4\r\nhalf\r\n"));
  EXPECT_TRUE(client.reset());
}

TEST_F(Forwarding, AClientThatLeavesEndsTheRequestAtTheNode) {
  nodes_.push_back(serve([this](net::Exchange& exchange) -> Task<void> {
    seen_.update([&] { begun_ = true; });
    co_await exchange.peer_gone();
    seen_.update([&] { gone_ = true; });
  }));
  net::RawClient client(front({{NodeId("a"), nodes_.back()->url()}}).endpoint());
  client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
  EXPECT_TRUE(seen_.wait([&] { return begun_; }));
  client.close();
  EXPECT_TRUE(seen_.wait([&] { return gone_; }));
}

TEST_F(Forwarding, CarriesTheHeadersThatDoNotBelongToOneConnection) {
  nodes_.push_back(serve([](net::Exchange& exchange) -> Task<void> {
    std::string text;
    for (const auto& field : exchange.headers()) {
      text += std::string(field.name_string()) + ": " + std::string(field.value()) + '\n';
    }
    const std::array headers{net::Header{"Set-Cookie", "a=1"}, net::Header{"Set-Cookie", "b=2"},
                             net::Header{"Keep-Alive", "timeout=1"}, net::Header{"X-HotSwap-Secret", "s"}};
    std::ignore = co_await exchange.reply(200, "text/plain", text, headers);
  }));
  net::RawClient client(front({{NodeId("a"), nodes_.back()->url(), "the-key"}}).endpoint());
  client.send(
      "GET /path?q=1 HTTP/1.1\r\nHost: shop.example\r\nCookie: c=1\r\nConnection: keep-alive, X-Mine\r\n"
      "X-Mine: 1\r\nTE: trailers\r\nX-Forwarded-For: 9.9.9.9\r\nX-HotSwap-Client: 6.6.6.6\r\n"
      "X-HotSwap-Forwarded: guess\r\ntracestate: v=1\r\n"
      "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n");
  const std::string reply = client.read_reply();
  EXPECT_THAT(reply, HasSubstr("Host: shop.example\n"));
  EXPECT_THAT(reply, HasSubstr("Cookie: c=1\n"));
  EXPECT_THAT(reply, HasSubstr("X-Forwarded-For: 9.9.9.9, 127.0.0.1\n"));
  EXPECT_THAT(reply, HasSubstr("X-Forwarded-Proto: http\n"));
  EXPECT_THAT(reply, HasSubstr("X-HotSwap-Forwarded: the-key\n"));
  EXPECT_THAT(reply, HasSubstr("X-HotSwap-Client: 127.0.0.1\n"));
  EXPECT_THAT(reply, HasSubstr("traceparent: 00-0af7651916cd43dd8448eb211c80319c-"));
  EXPECT_THAT(reply, HasSubstr("tracestate: v=1\n"));
  EXPECT_THAT(reply, HasSubstr("set-cookie: a=1\r\nset-cookie: b=2\r\n"));
  for (const char* dropped : {"X-Mine", "TE:", "6.6.6.6", "guess", "timeout=1", "x-hotswap-secret"}) {
    EXPECT_THAT(reply, Not(HasSubstr(dropped)));
  }
}

TEST_F(Forwarding, TellsTheSizeOfWhatAHeadRequestWouldGet) {
  nodes_.push_back(serve([](net::Exchange& exchange) -> Task<void> {
    std::ignore = co_await exchange.reply(200, "text/plain", "hello");
  }));
  net::RawClient client(front({{NodeId("a"), nodes_.back()->url()}}).endpoint());
  for (int i = 0; i < 2; ++i) {
    client.send("HEAD / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("Content-Length: 5\r\n"));
  }
}

TEST_F(Forwarding, SaysThatNobodyIsThere) {
  EXPECT_EQ(post({}).status, 503U);
  const auto reply = post({gone("a"), gone("b")});
  EXPECT_EQ(reply.status, 503U);
  EXPECT_THAT(reply.body, HasSubstr("did not answer"));
}

}  // namespace
}  // namespace hotswap::forward
