#include "node/shadow.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <random>
#include <set>

#include "base/limits.h"

namespace hotswap::node {
namespace {

double milliseconds(const Answer& answer) { return std::chrono::duration<double, std::milli>(answer.wall).count(); }
double seconds(const Answer& answer) { return std::chrono::duration<double>(answer.wall).count(); }

// The node had no room, which says nothing about the version.
bool says_nothing(const Error& error) {
  return error.kind == ErrorKind::kTooManyRequests || error.kind == ErrorKind::kUnavailable;
}

std::string name_of(const ShadowCopy& copy) {
  if (const auto* call = std::get_if<CopiedCall>(&copy.request)) return call->function;
  const net::LocalRequest& request = std::get<CopiedHttp>(copy.request).request;
  return request.method + ' ' + request.target.substr(0, request.target.find('?'));
}

const TraceContext& trace_of(const ShadowCopy& copy) {
  if (const auto* call = std::get_if<CopiedCall>(&copy.request)) return call->trace;
  return std::get<CopiedHttp>(copy.request).request.trace;
}

Task<Result<CallOutcome>> answer(const ShadowCopy& copy, CopiedExchange& exchange) {
  Workload& workload = *copy.route->version->workload;
  const Effects effects = copy.route->allow_outbound ? Effects::outbound : Effects::none;
  if (const auto* call = std::get_if<CopiedCall>(&copy.request)) {
    return workload.invoke({.function = call->function,
                            .params = call->params,
                            .bytes = call->bytes,
                            .effects = effects,
                            .via = call->via},
                           &exchange);
  }
  return workload.serve(exchange, {.prefix_size = std::get<CopiedHttp>(copy.request).prefix_size, .effects = effects});
}

}  // namespace

struct Shadows::Thread {
  explicit Thread(asio::io_context& context) : io(context), idle(context) {}
  asio::io_context& io;
  std::deque<ShadowCopy> waiting;
  std::set<CopiedExchange*> running;
  std::size_t workers = 0;
  bool stopping = false;
  asio::steady_timer idle;  // cancelled when a worker ends
};

Shadows::Shadows(net::IoThreads& threads, const NodeId& node, Metrics& metrics)
    : node_(node),
      compared_(metrics.counter("wasm.shadow.compared.total", "Copies of requests whose answers were compared",
                                {{"node", node.str()}})),
      mismatched_(metrics.counter("wasm.shadow.mismatched.total", "Copies that were answered otherwise",
                                  {{"node", node.str()}})),
      dropped_(
          metrics.counter("wasm.shadow.dropped.total", "Copies that there was no room for", {{"node", node.str()}})) {
  for (std::size_t i = 0; i < threads.size(); ++i) threads_.push_back(std::make_unique<Thread>(threads.at(i)));
}

Shadows::~Shadows() = default;

bool Shadows::takes(const ShadowRoute& route, const ReadyVersion& live) {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return route.version.get() != &live && static_cast<int>(engine() % 100) < route.percent;
}

void Shadows::drop(const ShadowRoute& route) {
  dropped_.add();
  route.version->meter->shadow.dropped.add();
}

void Shadows::run(ShadowCopy copy) {
  Thread& thread = *threads_.at(net::IoThreads::current());
  if (thread.stopping || thread.waiting.size() >= limits::kShadowCopiesWaiting) return drop(*copy.route);
  thread.waiting.push_back(std::move(copy));
  if (thread.workers >= limits::kShadowCopiesRunning) return;
  ++thread.workers;
  asio::co_spawn(thread.io, work(thread), asio::detached);
}

Task<void> Shadows::work(Thread& thread) {
  for (;;) {
    // To the end of the thread's queue: replies and other requests go first.
    co_await asio::post(thread.io, asio::use_awaitable);
    if (thread.waiting.empty()) break;
    ShadowCopy copy = std::move(thread.waiting.front());
    thread.waiting.pop_front();
    co_await run_one(thread, std::move(copy));
  }
  --thread.workers;
  thread.idle.cancel();
}

Task<void> Shadows::run_one(Thread& thread, ShadowCopy copy) {
  const net::LocalRequest none;
  const auto* http = std::get_if<CopiedHttp>(&copy.request);
  const auto patience =
      std::max<std::chrono::nanoseconds>(limits::kShadowPatience, limits::kShadowPatienceFactor * copy.live.wall);
  CopiedExchange exchange(thread.io.get_executor(), http == nullptr ? none : http->request, patience);
  thread.running.insert(&exchange);
  const auto outcome = co_await answer(copy, exchange);
  thread.running.erase(&exchange);
  if (thread.stopping) co_return;
  if (!outcome && says_nothing(outcome.error())) {
    drop(*copy.route);
    co_return;
  }
  Answer got = exchange.take_answer();
  if (outcome) {
    got.late = outcome->failure == GuestFailure::Cancelled;
    got.failure = outcome->failure;
    got.message = outcome->message;
    got.wall = outcome->usage.wall;
    if (http == nullptr) got.content = Content(outcome->value);
  } else {
    got.refusal = outcome.error().detail;
  }
  got.content.end();
  judge(copy, got);
}

void Shadows::judge(const ShadowCopy& copy, const Answer& answer) {
  ShadowMeter& meter = copy.route->version->meter->shadow;
  compared_.add();
  meter.compared.add();
  meter.latency.record(seconds(answer));
  meter.live_latency.record(seconds(copy.live));
  const auto differs = difference(copy.live, answer, copy.route->ignore_paths);
  if (!differs) return;
  mismatched_.add();
  meter.mismatched.add();
  meter.keep({.nodeId = node_,
              .request = shortened(name_of(copy)),
              .differs = shortened(differs->what),
              .live = shortened(differs->live),
              .shadow = shortened(differs->shadow),
              .liveMs = milliseconds(copy.live),
              .shadowMs = milliseconds(answer),
              .traceId = trace_of(copy).trace_id()});
}

Task<void> Shadows::stop() {
  for (const auto& thread : threads_) {
    co_await asio::co_spawn(
        thread->io,
        [](Thread& ended) -> Task<void> {
          ended.stopping = true;
          ended.waiting.clear();
          for (auto* exchange : ended.running) exchange->end();
          while (ended.workers > 0) {
            ended.idle.expires_at(asio::steady_timer::time_point::max());
            co_await ended.idle.async_wait(asio::as_tuple(asio::use_awaitable));
          }
        }(*thread),
        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
  }
}

}  // namespace hotswap::node
