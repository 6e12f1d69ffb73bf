#include "cli/node_scaling.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <filesystem>

#include "base/log.h"

namespace hotswap::cli {

void ScalingInbox::post(const std::shared_ptr<ScalingInbox>& inbox, ScalingEvent event) {
  asio::post(inbox->home_, [inbox, event = std::move(event)]() mutable {
    inbox->events_.push_back(std::move(event));
    inbox->arrived_.cancel();
  });
}

Task<ScalingEvent> ScalingInbox::next() {
  while (events_.empty()) co_await arrived_.async_wait(asio::as_tuple(asio::use_awaitable));
  ScalingEvent event = std::move(events_.front());
  events_.pop_front();
  co_return event;
}

Task<void> NodeScaling::run(std::shared_ptr<ScalingInbox> inbox) {
  for (;;) {
    const ScalingEvent event = co_await inbox->next();
    const bool up = event.direction == ScalingDirection::up;
    const auto done = co_await (up ? start_one(event.region.str()) : stop_one(event.region.str()));
    if (done) continue;
    log::error(
        "the number of node processes could not be changed", "",
        {{"region", event.region.str()}, {"direction", enum_name(event.direction)}, {"error", done.error().detail}});
  }
}

std::size_t NodeScaling::count(const std::string& region) {
  return static_cast<std::size_t>(std::ranges::count(
      processes_.running(), region, [](const NodeProcesses::Running& one) { return one.wish.region; }));
}

Task<Result<>> NodeScaling::start_one(std::string region) {
  if (count(region) >= plan_.bounds(region).maximum) co_return Result<>{};
  NodeProcesses::Wish wish = plan_.wish(region, processes_.running());
  const std::string node = wish.node;
  HS_CO_CHECK(co_await processes_.add(std::move(wish)));
  log::info("node process started", "", {{"nodeId", node}, {"region", region}});
  co_return Result<>{};
}

Task<Result<>> NodeScaling::stop_one(std::string region) {
  if (count(region) <= plan_.bounds(region).minimum) co_return Result<>{};
  const auto& running = processes_.running();
  const auto last = std::find_if(running.rbegin(), running.rend(),
                                 [&](const NodeProcesses::Running& one) { return one.wish.region == region; });
  const NodeProcesses::Wish wish = last->wish;
  HS_CO_CHECK(co_await control_.retire(NodeId(wish.node)));
  HS_CO_CHECK(co_await processes_.end(wish.node));
  HS_CO_CHECK(co_await control_.remove(NodeId(wish.node)));
  // What is left of it are copies; a later node of this name begins anew.
  std::error_code ignored;
  std::filesystem::remove_all(wish.data, ignored);
  log::info("node process stopped", "", {{"nodeId", wish.node}, {"region", region}});
  co_return Result<>{};
}

}  // namespace hotswap::cli
