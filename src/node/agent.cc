#include "node/agent.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace hotswap::node {

using namespace asio::experimental::awaitable_operators;

// A desired version and how far this node has come with it.
struct Agent::Held {
  DesiredVersion desired;
  VersionState state = VersionState::Fetching;
  std::string reason;
  std::shared_ptr<ReadyVersion> ready;
  std::uint64_t counted = 0;  // invocations reported to the control plane
};

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
      wake_(home),
      settled_(home, asio::steady_timer::time_point::max()),
      load_duration_(parts.metrics.histogram("wasm.module.load.duration",
                                             "Seconds from the binary at hand to ready, by node", latency_bounds(),
                                             {{"node", options_.node.str()}})),
      modules_ready_(parts.metrics.gauge("wasm.node.modules.ready", "Versions ready on the node",
                                         {{"node", options_.node.str()}})) {}

Agent::~Agent() = default;

Task<void> Agent::run() {
  std::exception_ptr error;
  try {
    co_await (follow() && publish_changes() && count_invocations());
  } catch (...) {
    error = std::current_exception();
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() == asio::cancellation_type::none) std::rethrow_exception(error);
  // Cancelled: what is being prepared refers to this agent and is waited for; it takes milliseconds to seconds.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  while (preparing_ > 0) {
    wake_.expires_at(asio::steady_timer::time_point::max());
    co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_await flush_counts();
}

Task<void> Agent::follow() {
  for (;;) {
    auto desired = co_await parts_.control.desired_state(desired_.revision);
    if (!desired) {
      log::warning("control plane unreachable", "",
                   {{"nodeId", options_.node.str()}, {"error", desired.error().detail}});
      co_await sleep_for(home_, options_.retry);
    } else if (desired->revision != desired_.revision) {
      reconcile(std::move(*desired));
    }
  }
}

// Begins what is missing and lets go of what is no longer wanted.
void Agent::reconcile(DesiredState desired) {
  std::map<Key, std::shared_ptr<Held>> wanted;
  for (const auto& version : desired.versions) {
    const Key key{version.tenant, version.moduleId};
    if (const auto found = held_.find(key); found != held_.end()) {
      wanted.insert(*found);
      continue;
    }
    auto held = std::make_shared<Held>();
    held->desired = version;
    wanted.emplace(key, held);
    ++preparing_;
    asio::co_spawn(home_, prepare(held), asio::detached);
  }
  held_.swap(wanted);
  for (const auto& [key, held] : wanted) {
    if (held_.contains(key) || !held->ready) continue;
    if (const auto count = held->ready->invocations.value() - held->counted; count > 0) {
      uncounted_[key] += static_cast<std::int64_t>(count);
    }
  }
  desired_ = std::move(desired);
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
  auto workload = co_await load(desired);
  if (workload && desired.healthCheck && desired.healthCheck->enabled) {
    note = co_await check_health(**workload, *desired.healthCheck);
  }
  if (!workload || !note) {
    held->state = VersionState::Failed;
    held->reason = (workload ? note.error() : workload.error()).detail;
    span.fail();
    log::warning("version failed to become ready", span.context().trace_id(),
                 {{"moduleId", desired.moduleId.str()}, {"nodeId", options_.node.str()}, {"error", held->reason}});
  } else {
    held->state = VersionState::Ready;
    held->reason = *note;
    held->ready = std::make_shared<ReadyVersion>(desired.tenant, desired.moduleId, std::move(*workload));
  }
  --preparing_;
  changed();
}

Task<Result<std::shared_ptr<Workload>>> Agent::load(const DesiredVersion& version) {
  for (bool may_use_cache = true;; may_use_cache = false) {
    std::string binary;
    if (!may_use_cache || !parts_.loader.cached(version.digest)) {
      may_use_cache = false;
      binary.reserve(version.sizeBytes);
      HS_CO_CHECK(co_await parts_.control.fetch(version.digest, [&](std::span<const std::byte> piece) -> Result<> {
        binary.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        return {};
      }));
    }
    const auto started = parts_.clock.steady();
    auto loaded = co_await parts_.cpu.run([&] { return parts_.loader.load(version, std::move(binary)); });
    load_duration_.record(std::chrono::duration<double>(parts_.clock.steady() - started).count());
    // A cache entry that turned out unusable is made again from the binary.
    if (loaded || !may_use_cache || loaded.error().kind != ErrorKind::kNotFound) co_return loaded;
  }
}

Task<Result<std::string>> Agent::check_health(Workload& workload, const HealthCheck& check) {
  std::string name = check.functionName;
  std::string last = "no try was made";
  int successes = 0;
  int failures = 0;
  for (bool first = true; successes < check.successThreshold; first = false) {
    asio::steady_timer timer(home_, std::chrono::seconds(check.timeoutSeconds));
    auto outcome = co_await (workload.invoke({.function = name, .params = "[]"}, nullptr) ||
                             timer.async_wait(asio::use_awaitable));
    if (outcome.index() == 1) {
      last = fmt::format("no answer within {} s", check.timeoutSeconds);
    } else if (auto& result = std::get<0>(outcome); !result) {
      if (result.error().kind == ErrorKind::kNotFound) {
        if (first && name == check.functionName) {
          name = other_spelling(name);
          continue;
        }
        co_return fmt::format("health check skipped: the module exports no {}", check.functionName);
      }
      last = result.error().detail;
    } else if (result->failure) {
      last = result->message;
    } else if (matches(result->value, check.expectedResult)) {
      ++successes;
      failures = 0;
      continue;
    } else {
      last = fmt::format("expected {}, got {}", check.expectedResult, result->value);
    }
    successes = 0;
    if (++failures >= check.failureThreshold) {
      co_return fail(ErrorKind::kUpstream, fmt::format("health check {} failed {} times: {}", name, failures, last));
    }
    co_await sleep_for(home_, limits::kHealthCheckRetry);
  }
  co_return std::string("healthy");
}

// One publication and one report for all changes that came together.
Task<void> Agent::publish_changes() {
  for (;;) {
    if (!dirty_) {
      wake_.expires_at(asio::steady_timer::time_point::max());
      co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    dirty_ = false;
    const auto table = RouteTable::build(desired_, ready_versions(), options_.node);
    co_await parts_.snapshot.publish(table);
    routed_revision_ = table->revision();
    modules_ready_.set(static_cast<double>(table->version_count()));
    if (preparing_ == 0) {
      settled_once_ = true;
      settled_.cancel();
    }
    if (const auto sent = co_await parts_.control.report(report()); !sent) {
      co_await sleep_for(home_, options_.retry);
      dirty_ = true;
    }
  }
}

Task<void> Agent::until_settled() {
  while (!settled_once_) co_await settled_.async_wait(asio::as_tuple(asio::use_awaitable));
}

ReadyVersions Agent::ready_versions() const {
  ReadyVersions ready;
  for (const auto& [key, held] : held_) {
    if (held->ready) ready.push_back(held->ready);
  }
  return ready;
}

NodeReport Agent::report() const {
  NodeReport out{options_.node, options_.region, routed_revision_, {}};
  out.versions.reserve(held_.size());
  for (const auto& [key, held] : held_) out.versions.push_back({key.first, key.second, held->state, held->reason});
  return out;
}

Task<void> Agent::count_invocations() {
  for (;;) {
    co_await sleep_for(home_, options_.count_every);
    co_await flush_counts();
  }
}

Task<void> Agent::flush_counts() {
  std::vector<InvocationCount> counts;
  for (const auto& [key, count] : std::exchange(uncounted_, {})) counts.push_back({key.first, key.second, count});
  for (const auto& [key, held] : held_) {
    if (!held->ready) continue;
    const std::uint64_t now = held->ready->invocations.value();
    if (now == held->counted) continue;
    counts.push_back({key.first, key.second, static_cast<std::int64_t>(now - held->counted)});
    held->counted = now;
  }
  if (counts.empty()) co_return;
  if (const auto sent = co_await parts_.control.count_invocations(counts); !sent) {
    for (const auto& count : counts) uncounted_[{count.tenant, count.moduleId}] += count.count;
  }
}

}  // namespace hotswap::node
