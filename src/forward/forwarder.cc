#include "forward/forwarder.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#include <map>

namespace hotswap::forward {

using namespace asio::experimental::awaitable_operators;

struct Forwarder::Thread {
  Thread(asio::io_context& its_context, const Clock& clock, Random& random)
      : context(its_context), balancer(clock, random) {}

  // Another address of the same node gets another client; calls that are under way keep theirs.
  Result<std::shared_ptr<net::Client>> client(const Peer& peer) {
    auto& [origin, client] = clients[peer.node];
    if (client == nullptr || origin != peer.origin) {
      HS_TRY(client, net::Client::create(context.get_executor(), peer.origin));
      origin = peer.origin;
    }
    return client;
  }

  asio::io_context& context;
  Balancer balancer;
  std::map<NodeId, std::pair<std::string, std::shared_ptr<net::Client>>> clients;
};

Forwarder::Forwarder(net::IoThreads& threads, const Clock& clock, Random& random, Metrics& metrics)
    : forwarded_(metrics.counter("wasm.requests.forwarded.total", "Requests that were sent on to a node")),
      retried_(metrics.counter("wasm.requests.forwarded.retried.total", "Of those, sent on to a second node")),
      failed_(metrics.counter("wasm.requests.forwarded.failed.total", "Of those, without an answer of a node")) {
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads_.push_back(std::make_unique<Thread>(threads.at(i), clock, random));
  }
}

Forwarder::~Forwarder() = default;

Task<Forwarder::Outcome> Forwarder::send(Thread& thread, Peer peer, net::Exchange& exchange, std::string body) {
  Outcome outcome;
  const auto client = thread.client(peer);
  if (!client) {
    outcome.response = std::unexpected(client.error());
    co_return outcome;
  }
  net::ClientRequest request;
  request.method = std::string(exchange.method());
  request.target = std::string(exchange.target());
  for (const auto field : {net::http::field::content_type, net::http::field::accept}) {
    const auto value = exchange.header(field);
    if (!value.empty()) request.headers.emplace_back(net::http::to_string(field), value);
  }
  request.headers.emplace_back("traceparent", exchange.trace().traceparent());
  request.headers.emplace_back(kForwardedHeader, "1");
  request.body = std::move(body);
  request.timeout = limits::kForwardTimeout;
  request.on_sending = [&outcome] { outcome.sent = true; };
  // Ended however this coroutine ends.
  thread.balancer.began(peer.node);
  bool failed = false;
  const std::shared_ptr<void> ending(nullptr, [&](void*) { thread.balancer.ended(peer.node, failed); });
  auto done = co_await ((*client)->send(std::move(request)) || exchange.peer_gone());
  if (done.index() == 1) {
    outcome.sent = true;
    outcome.response = fail(ErrorKind::kUnavailable, "the client has left");
    co_return outcome;
  }
  outcome.response = std::get<0>(std::move(done));
  failed = !outcome.response;
  if (outcome.response && !outcome.response->header("x-hotswap-not-here").empty()) {
    outcome.sent = false;
    outcome.response = fail(ErrorKind::kUnavailable, "it does not serve what is asked for");
  }
  co_return outcome;
}

Task<Result<>> Forwarder::forward(net::Exchange& exchange, std::string body, std::vector<Peer> peers) {
  Thread& thread = *threads_[net::IoThreads::current()];
  forwarded_.add();
  const Peer* peer = thread.balancer.choose(peers);
  if (peer == nullptr) co_return fail(ErrorKind::kUnavailable, "no node is ready to serve the request");
  Outcome outcome = co_await send(thread, *peer, exchange, body);
  if (!outcome.response && !outcome.sent) {
    if (const Peer* other = thread.balancer.choose(peers, &peer->node)) {
      retried_.add();
      peer = other;
      outcome = co_await send(thread, *peer, exchange, std::move(body));
    }
  }
  if (!outcome.response) {
    failed_.add();
    const Error& error = outcome.response.error();
    const ErrorKind kind = !outcome.sent                        ? ErrorKind::kUnavailable
                           : error.kind == ErrorKind::kDeadline ? ErrorKind::kDeadline
                                                                : ErrorKind::kUpstream;
    co_return fail(kind, fmt::format("node {} did not answer: {}", peer->node.str(), error.detail));
  }
  const auto& response = *outcome.response;
  std::vector<net::Header> headers;
  for (const auto& [name, value] : response.headers) {
    if (name == "allow" || name == "retry-after") headers.emplace_back(name, value);
  }
  co_return co_await exchange.reply(response.status, response.header("content-type"), response.body, headers);
}

}  // namespace hotswap::forward
