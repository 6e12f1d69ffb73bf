#include "control/deployments_api.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#include <charconv>

#include "base/limits.h"
#include "control/operation_trace.h"
#include "control/page_json.h"
#include "control/query_parameters.h"
#include "control/request_body.h"
#include "net/sse.h"

namespace hotswap::control {
namespace {

// NOLINTNEXTLINE(misc-unused-using-decls): used in a co_await expression below, where clang-tidy does not look
using asio::experimental::awaitable_operators::operator||;

// A transition that has begun is carried through, also when its client leaves.
template <class T>
Task<T> uncancelled(Task<T> task) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_return co_await std::move(task);
}

DeploymentId id_of(const net::Exchange& exchange) { return DeploymentId(exchange.params().at(0)); }

Result<DeploymentQuery> read_query(const net::Exchange& exchange) {
  QueryParameters parameters(exchange, {"status", "module", "moduleId", "limit", "cursor"});
  DeploymentQuery query;
  query.status = parameters.enumerator<DeploymentStatus>("status");
  query.moduleName = parameters.text("module");
  if (auto id = parameters.text("moduleId")) query.moduleId = ModuleId(*std::move(id));
  query.limit = static_cast<std::size_t>(
      parameters.integer("limit", 1, limits::kPageMax).value_or(static_cast<std::int64_t>(limits::kPageDefault)));
  query.cursor = parameters.text("cursor");
  HS_CHECK(parameters.check());
  return query;
}

std::int64_t sequence_from(std::string_view text) {
  std::int64_t sequence = 0;
  std::from_chars(text.data(), text.data() + text.size(), sequence);
  return sequence;
}

Task<Result<>> send_events(net::EventStream& stream, const std::vector<Event>& events) {
  for (const auto& event : events) {
    const std::string id = std::to_string(event.sequence);
    const std::string data = to_json_text(event);
    HS_CO_CHECK(co_await stream.send({.id = id, .event = enum_name(event.type), .data = data}));
  }
  co_return Result<>{};
}

}  // namespace

Task<Result<>> DeploymentsApi::create(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(auto request, co_await read_body<DeploymentRequest>(exchange));
  HS_CO_TRY(const Deployment deployment, co_await parts_.home.run(uncancelled(parts_.driver.create(
                                             principal, std::move(request), operation_trace(exchange)))));
  const std::string location = fmt::format("/api/v1/wasm/deployments/{}", deployment.deploymentId.str());
  const std::array headers{net::Header{"Location", location}};
  co_return co_await exchange.reply(201, "application/json", to_json_text(deployment), headers);
}

Task<Result<>> DeploymentsApi::list(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const DeploymentQuery query, read_query(exchange));
  HS_CO_TRY(const auto page,
            co_await parts_.pool.run([&] { return parts_.store.deployments(principal.tenant, query); }));
  co_return co_await net::reply_json(exchange, page_json(page));
}

Task<Result<>> DeploymentsApi::show(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  HS_CO_TRY(const auto stored,
            co_await parts_.pool.run([&] { return parts_.store.deployment(principal.tenant, id_of(exchange)); }));
  co_return co_await net::reply_json(exchange, to_json_text(stored.deployment));
}

Task<Result<>> DeploymentsApi::execute(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(co_await expect_nothing(exchange));
  HS_CO_TRY(const auto executed, co_await parts_.home.run(uncancelled(
                                     parts_.driver.execute(principal, id_of(exchange), operation_trace(exchange)))));
  co_return co_await net::reply_json(exchange, to_json_text(executed.deployment), executed.started ? 202 : 200);
}

Task<Result<>> DeploymentsApi::approve(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto request, co_await read_optional_body<ApprovalRequest>(exchange));
  co_return co_await carry_out(exchange,
                               parts_.driver.approve(principal, id_of(exchange), request, operation_trace(exchange)));
}

Task<Result<>> DeploymentsApi::carry_out(net::Exchange& exchange, Task<Result<Deployment>> verb) {
  HS_CO_TRY(const auto deployment, co_await parts_.home.run(uncancelled(std::move(verb))));
  co_return co_await net::reply_json(exchange, to_json_text(deployment));
}

Task<Result<>> DeploymentsApi::pause(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(co_await expect_nothing(exchange));
  co_return co_await carry_out(
      exchange, parts_.driver.ask(principal, id_of(exchange), &control::pause, operation_trace(exchange)));
}

Task<Result<>> DeploymentsApi::resume(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(co_await expect_nothing(exchange));
  co_return co_await carry_out(
      exchange, parts_.driver.ask(principal, id_of(exchange), &control::resume, operation_trace(exchange)));
}

Task<Result<>> DeploymentsApi::promote_fully(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(co_await expect_nothing(exchange));
  co_return co_await carry_out(
      exchange, parts_.driver.ask(principal, id_of(exchange), &control::promote_fully, operation_trace(exchange)));
}

Task<Result<>> DeploymentsApi::cancel(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(co_await expect_nothing(exchange));
  co_return co_await carry_out(
      exchange, parts_.driver.ask(principal, id_of(exchange), &control::cancel, operation_trace(exchange)));
}

Task<Result<>> DeploymentsApi::retry(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(co_await expect_nothing(exchange));
  co_return co_await carry_out(exchange, parts_.driver.retry(principal, id_of(exchange), operation_trace(exchange)));
}

Task<Result<>> DeploymentsApi::rollback(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto request, co_await read_optional_body<RollbackRequest>(exchange));
  co_return co_await carry_out(exchange,
                               parts_.driver.rollback(principal, id_of(exchange), request, operation_trace(exchange)));
}

Task<Result<>> DeploymentsApi::promote(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto request, co_await read_optional_body<PromoteRequest>(exchange));
  const Driver::Verb verb = [request](const TenantDeployment& from, const Cause& cause) {
    return control::promote(from, request, cause);
  };
  co_return co_await carry_out(exchange,
                               parts_.driver.ask(principal, id_of(exchange), verb, operation_trace(exchange)));
}

Task<Result<>> DeploymentsApi::abort(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto request, co_await read_optional_body<AbortRequest>(exchange));
  const Driver::Verb verb = [request](const TenantDeployment& from, const Cause& cause) {
    return control::abort(from, request, cause);
  };
  co_return co_await carry_out(exchange,
                               parts_.driver.ask(principal, id_of(exchange), verb, operation_trace(exchange)));
}

Task<Result<std::vector<Event>>> DeploymentsApi::read_events(const Principal& principal, const DeploymentId& id,
                                                             std::int64_t after, std::size_t limit) {
  co_return co_await parts_.pool.run([&] { return parts_.store.events(principal.tenant, id, after, limit); });
}

Task<Result<>> DeploymentsApi::events(net::Exchange& exchange, const Principal& principal) {
  constexpr auto kMost = static_cast<std::int64_t>(limits::kEventsPerPage);
  QueryParameters parameters(exchange, {"after", "limit", "stream", "lastEventId"});
  const auto after = parameters.integer("after", 0, std::numeric_limits<std::int64_t>::max()).value_or(0);
  const auto limit = static_cast<std::size_t>(parameters.integer("limit", 1, kMost).value_or(kMost));
  const bool stream =
      parameters.flag("stream") || exchange.header(net::http::field::accept).contains("text/event-stream");
  HS_CO_CHECK(parameters.check());
  const DeploymentId id = id_of(exchange);
  // An unknown deployment is an error, not an empty list.
  HS_CO_CHECK(co_await parts_.pool.run([&] { return parts_.store.deployment(principal.tenant, id); }));
  if (stream) co_return co_await stream_events(exchange, principal, after);
  HS_CO_TRY(const auto events, co_await read_events(principal, id, after, limit));
  co_return co_await net::reply_json(exchange, list_json(events));
}

Task<Result<>> DeploymentsApi::stream_events(net::Exchange& exchange, const Principal& principal, std::int64_t after) {
  const DeploymentId id = id_of(exchange);
  if (const std::string last = net::last_event_id(exchange); !last.empty()) after = sequence_from(last);
  net::EventStream stream(exchange);
  HS_CO_CHECK(co_await stream.begin());
  bool ended = false;
  for (;;) {
    const auto seen = co_await parts_.home.run(parts_.driver.event_count());
    const auto events = co_await read_events(principal, id, after, limits::kEventsPerPage);
    if (!events) break;
    HS_CO_CHECK(co_await send_events(stream, *events));
    if (!events->empty()) {
      after = events->back().sequence;
      ended = finished(events->back().status);
    }
    if (events->size() == limits::kEventsPerPage) continue;
    if (!ended && events->empty()) {
      // Nothing after the client's last event: perhaps because that one was the end.
      const auto stored = co_await parts_.pool.run([&] { return parts_.store.deployment(principal.tenant, id); });
      ended = stored && finished(stored->deployment.status);
      if (!ended) HS_CO_CHECK(co_await stream.heartbeat());
    }
    if (ended || !seen) break;
    const auto outcome =
        co_await (parts_.home.run(parts_.driver.next_event(*seen, limits::kEventHeartbeat)) || exchange.peer_gone());
    if (outcome.index() == 1) co_return Result<>{};
  }
  co_return co_await stream.finish();
}

}  // namespace hotswap::control
