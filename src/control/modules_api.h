// /api/v1/wasm/modules
#pragma once

#include "control/registry.h"
#include "net/http.h"

namespace hotswap::control {

// Handlers run on any I/O thread.
class ModulesApi {
 public:
  struct Parts {
    Store& store;
    BlobStore& blobs;
    BlockingPool& pool;
    BlockingPool& transfers;
    const Clock& clock;
    Registry& registry;
  };
  explicit ModulesApi(Parts parts) : parts_(parts) {}

  Task<Result<>> create(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> list(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> show(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> update(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> remove(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> binary(net::Exchange& exchange, const Principal& principal);

 private:
  Task<Result<Module>> find(net::Exchange& exchange, const Principal& principal);

  Parts parts_;
};

}  // namespace hotswap::control
