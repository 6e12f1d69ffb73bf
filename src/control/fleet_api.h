// What the control plane says about itself: routes, health, metrics.
#pragma once

#include "base/blocking_pool.h"
#include "control/fleet.h"
#include "model/principal.h"
#include "net/http.h"
#include "store/store.h"

namespace hotswap::control {

// Handlers run on any I/O thread.
class FleetApi {
 public:
  struct Parts {
    Home& home;  // the fleet's
    Fleet& fleet;
    Store& store;
    BlockingPool& pool;
    Metrics& metrics;
    const Options& options;
  };
  explicit FleetApi(Parts parts) : parts_(parts) {}

  Task<Result<>> routes(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> traffic(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> live(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> ready(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> metrics(net::Exchange& exchange, const Principal& principal);

 private:
  Parts parts_;
};

}  // namespace hotswap::control
