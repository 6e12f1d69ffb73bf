#include "control/scaler.h"

#include "base/log.h"

namespace hotswap::control {

Scaler::Scaler(asio::any_io_executor home, const Options& options, Parts parts, const Fleet& fleet, Webhook& webhook)
    : options_(options), parts_(parts), fleet_(fleet), webhook_(webhook), stopped_(std::move(home)) {}

Task<Result<>> Scaler::load() {
  if (!enabled()) co_return Result<>{};
  for (const auto& setting : options_.regions) {
    HS_CO_TRY(const auto last, co_await parts_.pool.run([&] {
      return parts_.store.scaling_events({.region = setting.region, .limit = 1});
    }));
    if (!last.items.empty()) memory_[setting.region].decided_at = last.items.front().at;
  }
  co_return Result<>{};
}

Task<void> Scaler::run() {
  while (!stopping_ && enabled()) {
    for (const auto& setting : options_.regions) co_await look(setting);
    co_await stopped_.wait(stopped_.count(), std::chrono::steady_clock::now() + options_.scaling.look_every);
  }
}

void Scaler::stop() {
  stopping_ = true;
  stopped_.notify();
}

Task<void> Scaler::look(const RegionSetting& setting) {
  if (stopping_) co_return;
  scaling::Memory& memory = memory_[setting.region];
  auto seen = scaling::look(options_.scaling.triggers, setting.nodes, fleet_.figures(setting.region), memory,
                            parts_.clock.now());
  if (seen.decision) {
    ScalingEvent& event = *seen.decision;
    event.region = setting.region;
    const auto stored =
        co_await parts_.pool.run([&] { return parts_.store.add_scaling_event(event, webhook_.wanted()); });
    if (!stored) {
      log::error("scaling decision could not be stored; deciding again", "",
                 {{"region", setting.region.str()}, {"error", stored.error().detail}});
      co_return;
    }
    event.sequence = *stored;
    announce(event);
  }
  memory = seen.memory;
}

void Scaler::announce(const ScalingEvent& event) {
  log::info("region needs another number of nodes", "",
            {{"region", event.region.str()},
             {"direction", enum_name(event.direction)},
             {"from", event.fromNodes},
             {"to", event.toNodes},
             {"reason", event.reason}});
  parts_.metrics
      .counter("wasm.scaling.decisions.total", "Decisions that a region needs a node more or less",
               {{"region", event.region.str()},
                {"direction", std::string(enum_name(event.direction))},
                {"trigger", std::string(enum_name(event.trigger))}})
      .add();
  parts_.metrics
      .gauge("wasm.scaling.nodes.wanted", "Nodes that the last decision wants in a region",
             {{"region", event.region.str()}})
      .set(event.toNodes);
  webhook_.notify();
  if (options_.scaling.on_decision) options_.scaling.on_decision(event);
}

std::vector<RegionScaling> Scaler::regions() const {
  std::vector<RegionScaling> all;
  const TimePoint now = parts_.clock.now();
  for (const auto& setting : options_.regions) {
    const auto figures = fleet_.figures(setting.region);
    RegionScaling& region = all.emplace_back();
    region.region = setting.region;
    region.nodes = figures.nodes;
    region.minimumNodes = setting.nodes.minimum;
    region.maximumNodes = setting.nodes.maximum;
    region.cpuPercent = figures.cpu;
    region.modulesPerNode = figures.modules;
    const auto found = memory_.find(setting.region);
    if (found == memory_.end()) continue;
    region.busySince = found->second.busy_since;
    region.idleSince = found->second.idle_since;
    if (found->second.decided_at) {
      const TimePoint until = *found->second.decided_at + options_.scaling.triggers.cooldown;
      if (until > now) region.coolingUntil = until;
    }
  }
  return all;
}

}  // namespace hotswap::control
