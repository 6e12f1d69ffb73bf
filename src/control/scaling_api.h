// What autoscaling sees, and what it decided.
#pragma once

#include "base/blocking_pool.h"
#include "control/scaler.h"
#include "model/principal.h"
#include "net/http.h"
#include "store/store.h"

namespace hotswap::control {

// Handlers run on any I/O thread.
class ScalingApi {
 public:
  struct Parts {
    Home& home;  // the scaler's
    const Scaler& scaler;
    Store& store;
    BlockingPool& pool;
  };
  explicit ScalingApi(Parts parts) : parts_(parts) {}

  // {"enabled": …, "items": [RegionScaling]}
  Task<Result<>> regions(net::Exchange& exchange, const Principal& principal);
  // Newest first; ?region=, limit, cursor.
  Task<Result<>> decisions(net::Exchange& exchange, const Principal& principal);

 private:
  Parts parts_;
};

}  // namespace hotswap::control
