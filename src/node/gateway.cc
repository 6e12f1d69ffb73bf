#include "node/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>

#include "base/limits.h"
#include "base/log.h"
#include "node/request_sender.h"

namespace hotswap::node {
namespace {

constexpr unsigned kServerError = 500;  // an HTTP status from here on is a failure of whoever answers

// Weighted choice needs speed and an even spread, not secrecy.
std::uint64_t draw() {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return engine();
}

void append_json_string(std::string& out, std::string_view text) {
  // Nearly every id and name is plain; the rest goes through the serializer, which also replaces invalid UTF-8.
  const bool plain = std::ranges::all_of(text, [](char c) { return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f; });
  if (plain) {
    out += '"';
    out += text;
    out += '"';
  } else {
    out += json::serialize(json::string(text));
  }
}

void append_text_member(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  append_json_string(out, text);
}

// `time` in milliseconds with four decimals.
void append_milliseconds_member(std::string& out, std::string_view name, std::chrono::nanoseconds time) {
  constexpr std::int64_t kUnit = 100;  // nanoseconds
  constexpr std::int64_t kUnitsInMillisecond = 10'000;
  const auto units = (std::max<std::int64_t>(time.count(), 0) + kUnit / 2) / kUnit;
  out += ",\"";
  out += name;
  out += "\":";
  out += fmt::format_int(units / kUnitsInMillisecond).c_str();
  out += '.';
  out += fmt::format_int(kUnitsInMillisecond + units % kUnitsInMillisecond).c_str() + 1;  // without the leading 1
}

bool forwarded(const net::Exchange& exchange) { return exchange.headers().count(forward::kForwardedHeader) > 0; }

// Whoever sent the request on tries another node.
Task<void> refuse_forwarded(net::Exchange& exchange, Error why) {
  why.kind = ErrorKind::kUnavailable;
  const std::array headers{net::Header{forward::kNotHereHeader, "1"}};
  std::ignore = co_await exchange.reply(http_status(why.kind), net::kProblemType,
                                        net::problem_document(why, exchange.trace()), headers);
}

}  // namespace

Gateway::Gateway(Here here, Snapshot& snapshot, Shadows& shadows, forward::Forwarder* forwarder, wasm::Aside& aside,
                 const Clock& clock, Tracer& tracer, Metrics& metrics)
    : node_(std::move(here.node)),
      region_(std::move(here.region)),
      forward_key_(std::move(here.forward_key)),
      snapshot_(snapshot),
      shadows_(shadows),
      forwarder_(forwarder),
      aside_(aside),
      clock_(clock),
      tracer_(tracer),
      audit_(node_, clock, metrics),
      invoked_(metrics.counter("wasm.functions.invoked.total", "Calls of modules", {{"node", node_.str()}})),
      failed_(metrics.counter("wasm.functions.failed.total", "Calls that ended in the guest's own failure",
                              {{"node", node_.str()}})),
      throttled_microseconds_(metrics.counter("wasm.cpu.throttled.microseconds.total",
                                              "Time that calls were held back to keep their CPU percentage",
                                              {{"node", node_.str()}})),
      calls_aside_(metrics.counter("wasm.calls.aside.total", "Calls that computed where no other call waits for them",
                                   {{"node", node_.str()}})),
      duration_(metrics.histogram("wasm.function.invoke.duration", "Seconds of a call, instantiation included",
                                  latency_bounds(), {{"node", node_.str()}})) {
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<GuestFailure>>([&](auto d) {
    failures_[static_cast<std::size_t>(d.value)] =
        &metrics.counter("wasm.guest.failures.total", "Calls that ended in the guest's own failure, by kind",
                         {{"node", node_.str()}, {"kind", d.name}});
  });
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<RefusalKind>>([&](auto d) {
    refusals_[static_cast<std::size_t>(d.value)] =
        &metrics.counter("wasm.refusals.total", "What guests asked the sandbox for and were refused, by kind",
                         {{"node", node_.str()}, {"kind", d.name}});
  });
}

Result<Gateway::Chosen> Gateway::choose(const ExecuteRequest& request, const Principal& principal,
                                        const Sender& sender) const {
  if (request.region && *request.region != region_) {
    return fail(ErrorKind::kNotFound, fmt::format("no node serves region {} here; this node's region is {}",
                                                  request.region->str(), region_.str()));
  }
  Chosen chosen{snapshot_.get(), nullptr};
  if (request.moduleId) {
    chosen.version = chosen.table->by_id(principal.tenant, *request.moduleId);
    if (chosen.version == nullptr) {
      return fail(ErrorKind::kNotFound,
                  fmt::format("{} is not deployed in region {}; deploy it first", *request.moduleId, region_.str()));
    }
  } else {
    chosen.version = chosen.table->by_name(principal.tenant, *request.module, {draw(), &sender});
    if (chosen.version == nullptr) {
      return fail(ErrorKind::kNotFound, fmt::format("no version of {} is deployed in region {}; deploy one first",
                                                    *request.module, region_.str()));
    }
  }
  return chosen;
}

const std::vector<Peer>* Gateway::elsewhere(const net::Exchange& exchange, const ExecuteRequest& request,
                                            const RouteTable& table, const Principal& principal) const {
  if (forwarder_ == nullptr || (request.region && *request.region != region_)) return nullptr;
  if (forwarded(exchange)) return nullptr;
  return request.moduleId ? table.remote_version(principal.tenant, *request.moduleId)
                          : table.remote(principal.tenant, *request.module);
}

Task<void> Gateway::send_on(net::Exchange& exchange, std::string body, std::vector<Peer> peers) {
  const auto done = co_await forwarder_->forward(exchange, std::move(body), std::move(peers));
  if (!done && !exchange.replied()) std::ignore = co_await net::reply_problem(exchange, done.error());
}

void Gateway::meter(ReadyVersion& version, const CallOutcome& outcome, Span& span) {
  const double seconds = std::chrono::duration<double>(outcome.usage.wall).count();
  invoked_.add();
  duration_.record(seconds);
  version.meter->requests.add();
  version.meter->latency.record(seconds);
  if (outcome.usage.throttled.count() > 0) {
    throttled_microseconds_.add(static_cast<std::uint64_t>(outcome.usage.throttled.count() / 1000));
  }
  if (outcome.usage.aside) calls_aside_.add();
  // A client that leaves says nothing about the version; what it waited for is in the latency.
  const bool left = outcome.failure == GuestFailure::Cancelled;
  if ((outcome.failure && !left) || outcome.status >= kServerError) version.meter->failures.add();
  if (outcome.failure) {
    failed_.add();
    failures_[static_cast<std::size_t>(*outcome.failure)]->add();
    span.fail();
    span.attribute("errorType", enum_name(*outcome.failure));
  }
  for (const auto& refusal : outcome.refusals) {
    refusals_[static_cast<std::size_t>(refusal.kind)]->add(refusal.count);
    span.attribute("refused", enum_name(refusal.kind));
  }
}

std::string Gateway::result_json(const ReadyVersion& version, const CallOutcome& outcome,
                                 const TraceContext& trace) const {
  std::string out;
  out.reserve(320 + outcome.value.size() + outcome.message.size() + outcome.stdout_text.size());
  out += outcome.failure ? "{\"success\":false,\"returnValue\":" : "{\"success\":true,\"returnValue\":";
  out += outcome.failure || outcome.value.empty() ? std::string_view("null") : std::string_view(outcome.value);
  if (outcome.failure) {
    append_text_member(out, "errorType", enum_name(*outcome.failure));
    append_text_member(out, "errorMessage", outcome.message);
    if (!outcome.backtrace.empty()) append_text_member(out, "backtrace", outcome.backtrace);
    if (*outcome.failure == GuestFailure::Exit) out += fmt::format(",\"exitCode\":{}", outcome.exit_code);
  } else {
    out += ",\"errorType\":null,\"errorMessage\":null";
  }
  append_milliseconds_member(out, "durationMs", outcome.usage.wall);
  append_milliseconds_member(out, "cpuMs", outcome.usage.cpu);
  out += ",\"memoryUsedBytes\":";
  out += fmt::format_int(outcome.usage.peak_memory_bytes).c_str();
  append_text_member(out, "timestamp", to_rfc3339(clock_.now()));
  append_text_member(out, "moduleId", version.id.str());
  append_text_member(out, "nodeId", node_.str());
  append_text_member(out, "traceId", trace.trace_id());
  if (!outcome.stdout_text.empty()) append_text_member(out, "stdout", outcome.stdout_text);
  if (!outcome.stderr_text.empty()) append_text_member(out, "stderr", outcome.stderr_text);
  out += '}';
  return out;
}

Task<void> Gateway::execute(net::Exchange& exchange, const Principal& principal) {
  Result<std::string> held{""};
  std::string_view body = exchange.buffered_body();
  if (!exchange.body_done()) {
    std::string first(body);
    held = co_await exchange.read_all(limits::kJsonBodyBytes - std::min(first.size(), limits::kJsonBodyBytes));
    if (held) {
      held->insert(0, first);
      body = *held;
    }
  }
  Result<ParsedExecuteRequest> parsed;
  if (!held) {
    parsed = std::unexpected(held.error());
  } else if (body.size() > limits::kAsideBytes) {
    parsed = co_await aside_.run([body] { return parse_execute_request(body); });
  } else {
    parsed = parse_execute_request(body);
  }
  auto chosen = parsed ? choose(parsed->request, principal, RequestSender(exchange, forward_key_))
                       : std::unexpected(parsed.error());
  if (!chosen) {
    if (parsed) {
      const auto table = snapshot_.get();
      if (const auto* peers = elsewhere(exchange, parsed->request, *table, principal)) {
        co_await send_on(exchange, std::string(body), *peers);
        co_return;
      }
    }
    if (chosen.error().kind == ErrorKind::kNotFound && forwarded(exchange)) {
      co_await refuse_forwarded(exchange, chosen.error());
      co_return;
    }
    (void)co_await net::reply_problem(exchange, chosen.error());
    co_return;
  }
  Span span = tracer_.start("wasm.function.invoke", exchange.trace());
  span.attribute("moduleId", chosen->version->id.str());
  span.attribute("function", parsed->request.function);
  std::string via = net::values_of(exchange, kViaHeader);
  auto outcome = co_await chosen->version->workload->invoke(
      {.function = parsed->request.function, .params = parsed->params, .bytes = parsed->request.bytes, .via = via},
      &exchange);
  const Audit::Where where{.route = "execute", .function = parsed->request.function, .trace = exchange.trace()};
  if (!outcome) {
    span.fail();
    audit_.refused(*chosen->version, outcome.error(), where);
    (void)co_await net::reply_problem(exchange, outcome.error());
    co_return;
  }
  meter(*chosen->version, *outcome, span);
  audit_.ended(*chosen->version, *outcome, where);
  audit_.denied(*chosen->version, outcome->refusals, where);
  if (outcome->failure == GuestFailure::Cancelled) {
    exchange.abort();
    co_return;
  }
  const bool lengthy = body.size() + outcome->value.size() + outcome->stdout_text.size() + outcome->stderr_text.size() >
                       limits::kAsideBytes;
  std::string reply;
  if (lengthy) {
    reply = co_await aside_.run([&] { return result_json(*chosen->version, *outcome, exchange.trace()); });
  } else {
    reply = result_json(*chosen->version, *outcome, exchange.trace());
  }
  (void)co_await net::reply_json(exchange, reply);
  if (chosen->table->has_shadows()) [[unlikely]] {
    copy_call(*std::move(chosen), principal, *std::move(parsed), *std::move(outcome), exchange.trace(), std::move(via));
  } else if (lengthy) {
    // Giving much memory back takes its time too.
    co_await aside_.run(
        [all = std::tuple(std::move(held), std::move(parsed), std::move(outcome), std::move(reply))] {});
  }
}

void Gateway::copy_call(Chosen chosen, const Principal& principal, ParsedExecuteRequest parsed, CallOutcome outcome,
                        const TraceContext& trace, std::string via) {
  if (!parsed.request.module) return;  // whoever names a version means that one
  const ShadowRoute* route = chosen.table->shadow_of(principal.tenant, *parsed.request.module);
  if (route == nullptr || !Shadows::takes(*route, *chosen.version)) return;
  if (parsed.params.size() > limits::kShadowBodyBytes) return shadows_.drop(*route);
  Answer live{.failure = outcome.failure, .message = std::move(outcome.message), .wall = outcome.usage.wall};
  live.content = Content(outcome.value);
  live.content.end();
  shadows_.run({.table = std::move(chosen.table),
                .route = route,
                .request = CopiedCall{.function = std::move(parsed.request.function),
                                      .params = std::move(parsed.params),
                                      .bytes = parsed.request.bytes,
                                      .trace = trace,
                                      .via = std::move(via)},
                .live = std::move(live)});
}

Task<void> Gateway::copy_http(std::shared_ptr<const RouteTable> table, RouteTable::HttpMatch match,
                              std::unique_ptr<RecordingExchange> recorded, CallOutcome outcome) {
  if (outcome.failure == GuestFailure::Cancelled) co_return;
  co_await recorded->read_rest();
  auto request = recorded->request();
  if (!request) {
    shadows_.drop(*match.shadow);
    co_return;
  }
  Answer live = recorded->take_answer();
  live.failure = outcome.failure;
  live.message = std::move(outcome.message);
  live.wall = outcome.usage.wall;
  shadows_.run({.table = std::move(table),
                .route = match.shadow,
                .request = CopiedHttp{.request = *std::move(request), .prefix_size = match.prefix_size},
                .live = std::move(live)});
}

Task<void> Gateway::serve_elsewhere(net::Exchange& exchange, const std::vector<Peer>* peers) {
  if (peers != nullptr && forwarder_ != nullptr && !forwarded(exchange)) {
    co_await send_on(exchange, std::string(exchange.buffered_body()), *peers);
    co_return;
  }
  Error error{ErrorKind::kNotFound,
              fmt::format("no module answers at {}; deployed handlers answer at /m/NAME/ unless they state "
                          "another host or path",
                          exchange.path()),
              {}};
  if (forwarded(exchange)) co_return co_await refuse_forwarded(exchange, std::move(error));
  (void)co_await net::reply_problem(exchange, error);
}

Task<void> Gateway::serve(net::Exchange& exchange) {
  const auto table = snapshot_.get();
  const RequestSender sender(exchange, forward_key_);
  const auto match = table->by_http(exchange.header(net::http::field::host), exchange.path(), {draw(), &sender});
  ReadyVersion* const version = match.version;
  if (version == nullptr) {
    co_await serve_elsewhere(exchange, match.peers);
    co_return;
  }
  Span span = tracer_.start("wasm.function.invoke", exchange.trace());
  span.attribute("moduleId", version->id.str());
  std::unique_ptr<RecordingExchange> recorded;
  if (match.shadow != nullptr && Shadows::takes(*match.shadow, *version)) [[unlikely]] {
    recorded = std::make_unique<RecordingExchange>(exchange);
  }
  net::Exchange& seen = recorded ? *recorded : exchange;
  auto outcome = co_await version->workload->serve(seen, {.prefix_size = match.prefix_size});
  const Audit::Where where{
      .route = exchange.path().substr(0, match.prefix_size + 1), .function = {}, .trace = exchange.trace()};
  if (!outcome) {
    span.fail();
    audit_.refused(*version, outcome.error(), where);
    co_return;
  }
  meter(*version, *outcome, span);
  audit_.ended(*version, *outcome, where);
  audit_.denied(*version, outcome->refusals, where);
  if (recorded) [[unlikely]]
    co_await copy_http(table, match, std::move(recorded), *std::move(outcome));
}

}  // namespace hotswap::node
