#include "forward/forwarder.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/router.h"

namespace hotswap::forward {
namespace {

using testing::HasSubstr;

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
  net::ClientResponse post(std::vector<Peer> peers, const std::string& body = "hello") {
    peers_ = std::move(peers);
    if (front_ == nullptr) {
      front_ = serve([this](net::Exchange& exchange) -> Task<void> {
        auto sent = co_await exchange.read_all(1024);
        const auto done = co_await forwarder_.forward(exchange, sent.value_or(""), peers_);
        if (!done) std::ignore = co_await net::reply_problem(exchange, done.error());
      });
    }
    asio::io_context io{1};
    const auto client = *net::Client::create(io.get_executor(), front_->url());
    net::ClientRequest request;
    request.method = "POST";
    request.body = body;
    auto reply = asio::co_spawn(io, client->send(std::move(request)), asio::use_future);
    io.run();
    return reply.get().value();
  }

  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
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

TEST_F(Forwarding, SaysThatNobodyIsThere) {
  EXPECT_EQ(post({}).status, 503U);
  const auto reply = post({gone("a"), gone("b")});
  EXPECT_EQ(reply.status, 503U);
  EXPECT_THAT(reply.body, HasSubstr("did not answer"));
}

}  // namespace
}  // namespace hotswap::forward
