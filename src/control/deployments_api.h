// /api/v1/wasm/deployments
#pragma once

#include "control/driver.h"
#include "net/http.h"

namespace hotswap::control {

// Handlers run on any I/O thread; what changes a deployment happens on the driver's executor.
class DeploymentsApi {
 public:
  struct Parts {
    Home& home;  // the driver's
    Driver& driver;
    Store& store;
    BlockingPool& pool;
  };
  explicit DeploymentsApi(Parts parts) : parts_(parts) {}

  Task<Result<>> create(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> list(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> show(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> execute(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> approve(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> rollback(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> pause(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> resume(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> promote(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> promote_fully(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> abort(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> cancel(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> retry(net::Exchange& exchange, const Principal& principal);
  // A page of JSON, or server-sent events until the deployment has ended.
  Task<Result<>> events(net::Exchange& exchange, const Principal& principal);

 private:
  Task<Result<>> carry_out(net::Exchange& exchange, Task<Result<Deployment>> verb);
  Task<Result<std::vector<Event>>> read_events(const Principal& principal, const DeploymentId& id, std::int64_t after,
                                               std::size_t limit);
  Task<Result<>> stream_events(net::Exchange& exchange, const Principal& principal, std::int64_t after);

  Parts parts_;
};

}  // namespace hotswap::control
