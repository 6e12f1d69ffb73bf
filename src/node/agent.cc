#include "node/agent.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/backoff.h"
#include "base/log.h"
#include "net/local_exchange.h"
#include "node/agent_parts.h"

namespace hotswap::node {

using namespace asio::experimental::awaitable_operators;

namespace {

Task<void> sleep_for(asio::any_io_executor home, std::chrono::milliseconds time) {
  asio::steady_timer timer(home, time);
  co_await timer.async_wait(asio::use_awaitable);
}

// '_' and '-' match each other in component names.
std::string other_spelling(std::string name) {
  const bool underscores = name.find('_') != std::string::npos;
  std::ranges::replace(name, underscores ? '_' : '-', underscores ? '-' : '_');
  return name;
}

// A JSON string matches by its content, anything else by its JSON text.
bool matches(const std::string& json_text, const std::string& expected) {
  if (json_text == expected) return true;
  const auto value = parse_json(json_text);
  return value && value->is_string() && value->get_string() == expected;
}

}  // namespace

Agent::Agent(asio::any_io_executor home, AgentOptions options, AgentParts parts)
    : home_(home),
      options_(std::move(options)),
      parts_(parts),
      machine_(parts.clock, options_.data),
      wake_(home),
      report_wake_(home),
      fetched_(home, asio::steady_timer::time_point::max()),
      stopped_(home, asio::steady_timer::time_point::max()),
      settled_(home, asio::steady_timer::time_point::max()),
      left_(home),
      load_duration_(parts.metrics.histogram("wasm.module.load.duration",
                                             "Seconds from the binary at hand to ready, by node", latency_bounds(),
                                             {{"node", options_.node.nodeId.str()}})),
      modules_ready_(parts.metrics.gauge("wasm.node.modules.ready", "Versions ready on the node",
                                         {{"node", options_.node.nodeId.str()}})) {}

Agent::~Agent() = default;

Task<void> Agent::run() {
  std::exception_ptr error;
  try {
    co_await (follow() && publish_changes() && send_reports() && count_invocations());
  } catch (...) {
    error = std::current_exception();
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() == asio::cancellation_type::none) std::rethrow_exception(error);
  // Cancelled: what is being prepared refers to this agent and is waited for; it takes milliseconds to seconds.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  stopping_ = true;
  stopped_.cancel();
  while (preparing_ > 0) {
    wake_.expires_at(asio::steady_timer::time_point::max());
    co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_await flush_counts();
}

// Ends early when the agent stops.
Task<void> Agent::pause(std::chrono::milliseconds time) {
  if (stopping_) co_return;
  asio::steady_timer timer(home_, time);
  co_await (timer.async_wait(asio::use_awaitable) || stopped_.async_wait(asio::as_tuple(asio::use_awaitable)));
}

Task<void> Agent::follow() {
  co_await restore();
  co_await introduce();
  Backoff backoff(parts_.random, options_.retry, options_.retry_most);
  for (;;) {
    auto desired = co_await parts_.control.desired_state(desired_.revision);
    if (!desired) {
      log::warning("control plane unreachable", "",
                   {{"nodeId", options_.node.nodeId.str()}, {"error", desired.error().detail}});
      co_await sleep_for(home_, backoff.next());
      continue;
    }
    backoff.reset();
    if (desired->revision != desired_.revision) reconcile(std::move(*desired));
  }
}

Task<void> Agent::restore() {
  if (!options_.kept) co_return;
  auto kept = co_await parts_.cpu.run([file = *options_.kept] { return KeptState(file).load(); });
  if (!kept) co_return;
  kept_revision_ = kept->revision;
  log::info("serving what was kept", "",
            {{"nodeId", options_.node.nodeId.str()}, {"revision", kept->revision}, {"routes", kept->routes.size()}});
  reconcile(*std::move(kept));
}

Task<void> Agent::introduce() {
  Backoff backoff(parts_.random, options_.retry, options_.retry_most);
  for (;;) {
    const auto done = co_await parts_.control.introduce(options_.node);
    if (done) break;
    log::warning("node is not accepted by the control plane", "",
                 {{"nodeId", options_.node.nodeId.str()}, {"error", done.error().detail}});
    co_await sleep_for(home_, backoff.next());
  }
  report_due_ = true;
  report_wake_.cancel();
}

// Begins what is missing and lets go of what is no longer wanted.
void Agent::reconcile(DesiredState desired) {
  std::map<Key, std::shared_ptr<Held>> wanted;
  for (const auto& version : desired.versions) {
    const Key key{version.tenant, version.moduleId};
    if (const auto found = held_.find(key); found != held_.end()) {
      wanted.insert(*found);
      ask_for_check(found->second, version);
      continue;
    }
    auto held = std::make_shared<Held>();
    held->desired = version;
    held->check = version.healthCheck;
    held->check_asked = version.checkNumber;
    wanted.emplace(key, held);
    ++preparing_;
    asio::co_spawn(home_, prepare(held), asio::detached);
  }
  held_.swap(wanted);
  for (const auto& [key, held] : wanted) {
    if (held_.contains(key)) continue;
    held->wanted = false;
    if (held->ready) lingering_.insert_or_assign(key, held->ready);
  }
  desired_ = std::move(desired);
  changed();
}

// A version that is still being prepared is checked by that.
void Agent::ask_for_check(const std::shared_ptr<Held>& held, const DesiredVersion& version) {
  if (version.checkNumber == 0 || version.checkNumber == held->check_asked) return;
  held->check = version.healthCheck;
  held->check_asked = version.checkNumber;
  if (!held->ready || std::exchange(held->checking, true)) return;
  ++preparing_;
  asio::co_spawn(home_, check_again(held), asio::detached);
}

Task<void> Agent::check_again(std::shared_ptr<Held> held) {
  while (held->wanted && !stopping_ && held->check_run != held->check_asked) {
    const std::int64_t number = held->check_asked;
    Result<std::string> note{""};
    if (held->check && held->check->enabled) note = co_await check_health(held->ready->workload, *held->check);
    held->check_run = number;
    held->check_failure = note ? "" : note.error().detail;
    if (note) continue;
    log::warning("health check failed", "",
                 {{"moduleId", held->desired.moduleId.str()},
                  {"nodeId", options_.node.nodeId.str()},
                  {"error", held->check_failure}});
  }
  held->checking = false;
  --preparing_;
  changed();
}

void Agent::changed() {
  dirty_ = true;
  wake_.cancel();
}

Task<void> Agent::prepare(std::shared_ptr<Held> held) {
  const DesiredVersion& desired = held->desired;
  Span span = parts_.tracer.start("wasm.module.load", parts_.tracer.root(true));
  span.attribute("moduleId", desired.moduleId.str());
  Result<std::string> note{""};
  auto workload = co_await load(held);
  // Another run that is asked for meanwhile is one more.
  for (bool again = workload.has_value(); again;) {
    const std::int64_t number = held->check_asked;
    if (held->check && held->check->enabled) note = co_await check_health(*workload, *held->check);
    held->check_run = number;
    again = note && held->check_asked != number;
  }
  if (!workload || !note) {
    held->state = VersionState::Failed;
    held->reason = (workload ? note.error() : workload.error()).detail;
    span.fail();
    log::warning(
        "version failed to become ready", span.context().trace_id(),
        {{"moduleId", desired.moduleId.str()}, {"nodeId", options_.node.nodeId.str()}, {"error", held->reason}});
  } else {
    held->state = VersionState::Ready;
    held->reason = *note;
    held->ready = std::make_shared<ReadyVersion>(desired.tenant, desired.moduleId, std::move(*workload),
                                                 meter_of(desired), desired.digest, desired.limits);
  }
  --preparing_;
  changed();
}

Task<Result<std::shared_ptr<Workload>>> Agent::load(const std::shared_ptr<Held>& held) {
  const DesiredVersion& version = held->desired;
  for (bool may_use_cache = true;; may_use_cache = false) {
    std::string binary;
    if (!may_use_cache || !parts_.loader.cached(version.digest)) {
      may_use_cache = false;
      HS_CO_TRY(binary, co_await fetch(*held));
    }
    held->state = VersionState::Compiling;
    const auto started = parts_.clock.steady();
    auto loaded = co_await parts_.cpu.run([&] { return parts_.loader.load(version, std::move(binary)); });
    load_duration_.record(std::chrono::duration<double>(parts_.clock.steady() - started).count());
    // A cache entry that turned out unusable is made again from the binary.
    if (loaded || !may_use_cache || loaded.error().kind != ErrorKind::kNotFound) co_return loaded;
  }
}

// Tries for as long as the version is wanted and the failure may pass: whoever rolls out has a deadline of its own.
Task<Result<std::string>> Agent::fetch(const Held& held) {
  Backoff backoff(parts_.random, options_.retry, options_.retry_most);
  for (int corrupt = 0;;) {
    while (fetching_ >= limits::kParallelDownloads) {
      co_await fetched_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    ++fetching_;
    std::string binary;
    binary.reserve(held.desired.sizeBytes);
    const auto done =
        co_await parts_.control.fetch(held.desired.digest, [&](std::span<const std::byte> piece) -> Result<> {
          binary.append(reinterpret_cast<const char*>(piece.data()), piece.size());
          return {};
        });
    --fetching_;
    fetched_.cancel();
    if (done) co_return binary;
    const ErrorKind kind = done.error().kind;
    const bool may_pass = kind == ErrorKind::kUnavailable || kind == ErrorKind::kDeadline ||
                          kind == ErrorKind::kTooManyRequests || kind == ErrorKind::kUnauthorized;
    if (!may_pass && ++corrupt >= limits::kCorruptDownloads) co_return std::unexpected(done.error());
    if (stopping_ || !held.wanted) co_return fail(ErrorKind::kUnavailable, "the version is no longer wanted");
    co_await pause(backoff.next());
  }
}

Task<Result<std::string>> Agent::check_health(std::shared_ptr<Workload> workload, HealthCheck check) {
  std::string name = check.functionName;
  int successes = 0;
  int failures = 0;
  for (bool first = true; successes < check.successThreshold; first = false) {
    asio::steady_timer timer(home_, std::chrono::seconds(check.timeoutSeconds));
    auto outcome = co_await ((check.httpPath ? ask_path(workload, check) : ask_function(workload, check, name)) ||
                             timer.async_wait(asio::use_awaitable));
    Result<> answer = fail(ErrorKind::kDeadline, fmt::format("no answer within {} s", check.timeoutSeconds));
    if (auto* given = std::get_if<0>(&outcome)) answer = std::move(*given);
    if (answer) {
      ++successes;
      failures = 0;
      continue;
    }
    if (!check.httpPath && answer.error().kind == ErrorKind::kNotFound) {
      if (first && name == check.functionName) {
        name = other_spelling(name);
        continue;
      }
      co_return fmt::format("health check skipped: the module exports no {}", check.functionName);
    }
    successes = 0;
    if (++failures >= check.failureThreshold) {
      co_return fail(ErrorKind::kUpstream, fmt::format("health check {} failed {} times: {}",
                                                       check.httpPath.value_or(name), failures, answer.error().detail));
    }
    co_await sleep_for(home_, limits::kHealthCheckRetry);
  }
  co_return std::string("healthy");
}

// kNotFound where there is no such function.
Task<Result<>> Agent::ask_function(std::shared_ptr<Workload> workload, HealthCheck check, std::string name) {
  HS_CO_TRY(const auto outcome, co_await workload->invoke({.function = name, .params = "[]"}, nullptr));
  if (outcome.failure) co_return fail(ErrorKind::kUpstream, outcome.message);
  if (matches(outcome.value, check.expectedResult)) co_return Result<>{};
  co_return fail(ErrorKind::kUpstream, fmt::format("expected {}, got {}", check.expectedResult, outcome.value));
}

Task<Result<>> Agent::ask_path(std::shared_ptr<Workload> workload, HealthCheck check) {
  if (!workload->serves_http()) co_return fail(ErrorKind::kUnprocessable, "the module is no HTTP handler");
  net::LocalRequest request{.target = *check.httpPath, .trace = parts_.tracer.root(false)};
  request.headers.set(net::http::field::host, "health-check");
  net::BoundedExchange exchange(request, limits::kHealthReplyBytes);
  HS_CO_TRY(const auto outcome, co_await workload->serve(exchange, {}));
  if (outcome.failure) co_return fail(ErrorKind::kUpstream, outcome.message);
  if (!exchange.complete()) co_return fail(ErrorKind::kUpstream, "the handler's reply was cut");
  if (exchange.status() == static_cast<unsigned>(check.httpStatus)) co_return Result<>{};
  co_return fail(ErrorKind::kUpstream, fmt::format("expected status {}, got {}", check.httpStatus, exchange.status()));
}

// One publication for all changes that came together.
Task<void> Agent::publish_changes() {
  for (;;) {
    if (!dirty_) {
      wake_.expires_at(asio::steady_timer::time_point::max());
      co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    dirty_ = false;
    const auto table = next_table();
    // A version that became ready meanwhile is not routed yet, and a report must not say so.
    auto versions = version_reports();
    const std::int64_t known = desired_.revision;
    co_await parts_.snapshot.publish(table);
    routed_revision_ = table->revision();
    published_ = std::move(versions);
    published_revision_ = known;
    modules_ready_.set(static_cast<double>(table->version_count()));
    if (preparing_ == 0) {
      settled_once_ = true;
      settled_.cancel();
    }
    report_due_ = true;
    report_wake_.cancel();
    if (preparing_ == 0 && lingering_.empty()) co_await keep();
  }
}

// As desired, but for routes none of whose versions is ready here: those stay as they were, with their versions.
std::shared_ptr<const RouteTable> Agent::next_table() {
  ReadyVersions ready;
  for (const auto& [key, held] : held_) {
    if (held->ready) ready.push_back(held->ready);
  }
  const auto find_ready = [&](const TenantId& tenant, const ModuleId& id) -> std::shared_ptr<ReadyVersion> {
    const Key key{tenant, id};
    if (const auto held = held_.find(key); held != held_.end()) return held->second->ready;
    const auto kept = lingering_.find(key);
    return kept == lingering_.end() ? nullptr : kept->second;
  };
  std::map<RouteKey, const Route*> before;
  for (const auto& route : routed_) before.emplace(RouteKey{route.tenant, route.name}, &route);
  DesiredState effective{.revision = desired_.revision,
                         .versions = {},
                         .routes = desired_.routes,
                         .remotes = desired_.remotes,
                         .fallback = desired_.fallback};
  std::map<Key, std::shared_ptr<ReadyVersion>> still;
  for (auto& route : effective.routes) {
    const NodeId& here = options_.node.nodeId;
    const auto answers = [&](const Route& some) {
      return std::ranges::any_of(versions_on(some, here), [&](const WeightedVersion& version) {
        return version.weight > 0 && find_ready(some.tenant, version.moduleId) != nullptr;
      });
    };
    if (answers(route)) continue;
    const auto old = before.find({route.tenant, route.name});
    if (old == before.end() || !answers(*old->second)) continue;
    route = *old->second;
    for (const auto& id : versions_of(route)) {
      const Key key{route.tenant, id};
      if (const auto kept = lingering_.find(key); kept != lingering_.end()) still.insert(*kept);
    }
  }
  for (const auto& [key, version] : still) ready.push_back(version);
  lingering_.swap(still);
  forget_examples(effective.routes);
  routed_ = effective.routes;
  return RouteTable::build(effective, ready, options_.node.nodeId);
}

// What an earlier shadow of a version found says nothing about the next one.
void Agent::forget_examples(const std::vector<Route>& next) {
  const auto shadows = [](const Route& route, const Route& other) {
    return other.tenant == route.tenant && other.shadow && other.shadow->moduleId == route.shadow->moduleId;
  };
  for (const auto& route : next) {
    if (!route.shadow) continue;
    const bool begins = std::ranges::none_of(routed_, [&](const Route& before) { return shadows(route, before); });
    const auto meter = meters_.find({route.tenant, route.shadow->moduleId});
    if (begins && meter != meters_.end()) meter->second.counted->shadow.forget_examples();
  }
}

Task<void> Agent::keep() {
  if (!options_.kept || kept_revision_ == desired_.revision) co_return;
  const std::int64_t revision = desired_.revision;
  const auto kept =
      co_await parts_.cpu.run([file = *options_.kept, state = desired_] { return KeptState(file).save(state); });
  if (kept) {
    kept_revision_ = revision;
  } else {
    log::error("what is served could not be kept", "", {{"error", kept.error().detail}});
  }
}

Task<void> Agent::leave(std::chrono::milliseconds at_most) {
  log::info("leaving", "", {{"nodeId", options_.node.nodeId.str()}});
  leaving_ = true;
  report_due_ = true;
  report_wake_.cancel();
  left_.expires_after(at_most);
  co_await left_.async_wait(asio::as_tuple(asio::use_awaitable));
}

Task<void> Agent::until_settled() {
  while (!settled_once_) co_await settled_.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace hotswap::node
