#include "node/app.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

namespace hotswap::node {
namespace {

std::optional<std::filesystem::path> kept_file(const Options& options) {
  if (!options.keep) return std::nullopt;
  return options.data / "desired-state.json";
}

}  // namespace

Result<std::unique_ptr<App>> App::create(Options options, Parts parts) {
  HS_TRY(wasm::CodeCache cache, wasm::CodeCache::open(parts.engine, options.data / "code"));
  return std::unique_ptr<App>(new App(std::move(options), parts, std::move(cache)));
}

App::App(Options options, Parts parts, wasm::CodeCache cache)
    : parts_(parts),
      loader_(parts.engine, std::move(cache), options.data / "files", options.policy, parts.aside),
      snapshot_(parts.threads),
      shadows_(parts.threads, options.node.nodeId, parts.metrics),
      forwarder_(std::in_place, parts.threads, parts.clock, parts.random, parts.metrics),
      gateway_({options.node.nodeId, options.node.region, options.forward_key}, snapshot_, shadows_, &*forwarder_,
               parts.aside, parts.clock, parts.tracer, parts.metrics),
      agent_(
          parts.threads.at(0).get_executor(),
          {.node = options.node, .forward_key = options.forward_key, .data = options.data, .kept = kept_file(options)},
          {.control = parts.control,
           .loader = loader_,
           .snapshot = snapshot_,
           .cpu = parts.cpu,
           .clock = parts.clock,
           .random = parts.random,
           .tracer = parts.tracer,
           .metrics = parts.metrics}),
      stopped_(parts.threads.at(0)) {}

void App::start() {
  running_ = true;
  asio::co_spawn(parts_.threads.at(0), agent_.run(),
                 asio::bind_cancellation_slot(cancel_.slot(), [this](const std::exception_ptr& error) {
                   running_ = false;
                   stopped_.cancel();
                   if (error) std::rethrow_exception(error);
                 }));
}

Task<void> App::leave() {
  co_await asio::co_spawn(parts_.threads.at(0), agent_.leave(limits::kLeave), asio::use_awaitable);
}

Task<void> App::stop() {
  co_await shadows_.stop();
  // On the agent's thread, which owns the signal and the timer.
  co_await asio::co_spawn(
      parts_.threads.at(0),
      [this]() -> Task<void> {
        cancel_.emit(asio::cancellation_type::terminal);
        while (running_) {
          stopped_.expires_at(asio::steady_timer::time_point::max());
          co_await stopped_.async_wait(asio::as_tuple(asio::use_awaitable));
        }
      },
      asio::use_awaitable);
}

}  // namespace hotswap::node
