// Looks at each region again and again, and says when it needs a node more or less.
#pragma once

#include <map>
#include <vector>

#include "base/blocking_pool.h"
#include "control/fleet.h"
#include "control/settings.h"
#include "control/signal.h"
#include "control/webhook.h"
#include "scaling/scaling.h"

namespace hotswap::control {

// A decision is stored first; then it is logged and counted, the webhook is told, and options.on_decision is called.
// Where it cannot be stored, the next look decides again. Everything on `home`, the executor of the fleet.
class Scaler {
 public:
  struct Parts {
    Store& store;
    BlockingPool& pool;
    const Clock& clock;
    Metrics& metrics;
  };
  Scaler(asio::any_io_executor home, const Options& options, Parts parts, const Fleet& fleet, Webhook& webhook);

  // Cooldowns that an earlier process began. Once, before run().
  Task<Result<>> load();
  // Until stop().
  Task<void> run();
  void stop();

  [[nodiscard]] bool enabled() const noexcept { return options_.scaling.enabled; }
  // Every region, in the order of the settings.
  [[nodiscard]] std::vector<RegionScaling> regions() const;

 private:
  Task<void> look(const RegionSetting& setting);
  void announce(const ScalingEvent& event);

  const Options& options_;
  Parts parts_;
  const Fleet& fleet_;
  Webhook& webhook_;
  Signal stopped_;
  bool stopping_ = false;
  std::map<Region, scaling::Memory> memory_;
};

}  // namespace hotswap::control
