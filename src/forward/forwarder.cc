#include "forward/forwarder.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#include <algorithm>
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
    threads_.push_back(std::make_shared<Thread>(threads.at(i), clock, random));
  }
}

Forwarder::~Forwarder() = default;

// The request's body on its way.
struct Forwarder::Upload {
  net::Exchange& exchange;
  std::string taken;  // of the body so far, while it may have to be sent once more
  bool repeatable = true;

  void take(std::span<const std::byte> piece) {
    if (!repeatable) return;
    repeatable = taken.size() + piece.size() <= limits::kForwardReplay;
    if (repeatable) {
      taken.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    } else {
      taken = {};
    }
  }
  [[nodiscard]] bool complete() const {
    return exchange.body_done() && exchange.trailers().begin() == exchange.trailers().end();
  }
};

struct Forwarder::Outcome {
  std::optional<Error> error;  // absent: it was replied
  bool elsewhere = false;      // another node may be asked: this one has not begun, and will not
  bool of_client = false;      // it is the client that failed
};

namespace {

// Where the reply came from and where it goes.
struct Hop {
  net::Exchange& exchange;
  net::ClientStream& stream;
  bool not_here = false;
  bool client_failed = false;
};

// Pieces of the reply, as they come.
Task<Result<>> relay(Hop& hop) {
  HS_CO_TRY(const auto head, co_await hop.stream.head());
  if (head.status == http_status(ErrorKind::kUnavailable) && !head.header("x-hotswap-not-here").empty()) {
    hop.not_here = true;
    co_return fail(ErrorKind::kUnavailable, "it does not serve what is asked for");
  }
  const auto headers = passed_back(head.headers);
  const auto to_client = [&hop](Result<> done) {
    hop.client_failed = !done;
    return done;
  };
  HS_CO_CHECK(to_client(co_await hop.exchange.begin(head.status, headers, hop.stream.body_size())));
  std::vector<std::byte> piece(
      std::min<std::uint64_t>(hop.stream.body_size().value_or(limits::kForwardPiece) + 1, limits::kForwardPiece));
  for (;;) {
    HS_CO_TRY(const std::size_t count, co_await hop.stream.read_some(piece));
    if (count == 0) break;
    HS_CO_CHECK(to_client(co_await hop.exchange.write(std::span(piece).first(count))));
  }
  const auto trailers = hop.stream.trailers();
  const auto trailing = passed_back(trailers);
  co_return to_client(co_await hop.exchange.finish(trailing));
}

}  // namespace

// Pieces of the request's body, as fast as the node takes them. Ends when the client fails.
Task<Error> Forwarder::pump(Upload& upload, net::ClientStream& stream) {
  net::Exchange& exchange = upload.exchange;
  if (!upload.complete()) {
    std::vector<std::byte> piece(limits::kForwardPiece);
    bool taken = true;
    while (taken && !exchange.body_done()) {
      const auto count = co_await exchange.read_some(piece);
      if (!count) co_return count.error();
      const auto bytes = std::span(piece).first(*count);
      upload.take(bytes);
      // A node that has answered already may read no more of it.
      taken = (co_await stream.write(bytes)).has_value();
    }
    if (taken) std::ignore = co_await stream.finish(trailers_of(exchange));
  }
  co_await exchange.peer_gone();
  co_return Error{ErrorKind::kUnavailable, "the client has left", {}};
}

Task<Forwarder::Outcome> Forwarder::send(std::shared_ptr<Thread> thread, Peer peer, Upload& upload) {
  net::Exchange& exchange = upload.exchange;
  const auto client = thread->client(peer);
  if (!client) co_return Outcome{.error = client.error(), .elsewhere = true};
  bool sent = false;
  net::ClientRequest request = passed_on(exchange, peer);
  request.body = upload.taken;
  request.on_sent = [&sent] { sent = true; };
  // Ended however this coroutine ends.
  thread->balancer.began(peer.node);
  bool failed = false;
  const std::shared_ptr<void> ending(nullptr, [&](void*) { thread->balancer.ended(peer.node, failed); });

  const auto size = upload.complete() ? std::optional<std::uint64_t>(request.body.size()) : exchange.body_size();
  const auto stream = co_await (*client)->open(std::move(request), size);
  if (!stream) {
    failed = true;
    co_return Outcome{.error = stream.error(), .elsewhere = !sent};
  }
  Hop hop{exchange, **stream};
  auto ended = co_await (relay(hop) || pump(upload, **stream));
  if (ended.index() == 1) co_return Outcome{.error = std::get<1>(std::move(ended)), .of_client = true};
  const auto& done = std::get<0>(ended);
  if (done) co_return Outcome{};
  if (hop.not_here) co_return Outcome{.error = done.error(), .elsewhere = upload.repeatable};
  failed = !hop.client_failed;
  co_return Outcome{.error = done.error(), .of_client = hop.client_failed};
}

Task<Result<>> Forwarder::forward(net::Exchange& exchange, std::string body, std::vector<Peer> peers) {
  const std::shared_ptr<Thread> thread = threads_[net::IoThreads::current()];
  forwarded_.add();
  const Peer* peer = thread->balancer.choose(peers);
  if (peer == nullptr) co_return fail(ErrorKind::kUnavailable, "no node is ready to serve the request");
  Upload upload{exchange, std::move(body)};
  Outcome outcome = co_await send(thread, *peer, upload);
  if (outcome.elsewhere) {
    if (const Peer* other = thread->balancer.choose(peers, &peer->node)) {
      retried_.add();
      peer = other;
      outcome = co_await send(thread, *peer, upload);
    }
  }
  if (!outcome.error) co_return Result<>{};
  if (exchange.replied()) exchange.abort();
  if (outcome.of_client) co_return std::unexpected(*std::move(outcome.error));
  failed_.add();
  const Error& error = *outcome.error;
  const ErrorKind kind = outcome.elsewhere                    ? ErrorKind::kUnavailable
                         : error.kind == ErrorKind::kDeadline ? ErrorKind::kDeadline
                                                              : ErrorKind::kUpstream;
  co_return fail(kind, fmt::format("node {} did not answer: {}", peer->node.str(), error.detail));
}

}  // namespace hotswap::forward
