// /api/v1/wasm/interfaces
#pragma once

#include "base/blocking_pool.h"
#include "control/interfaces.h"
#include "net/http.h"

namespace hotswap::control {

// Handlers run on any I/O thread.
class InterfacesApi {
 public:
  struct Parts {
    Store& store;
    BlockingPool& pool;
    Interfaces& interfaces;
  };
  explicit InterfacesApi(Parts parts) : parts_(parts) {}

  Task<Result<>> create(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> list(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> show(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> submit(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> approve(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> reject(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> deprecate(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> validate(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> diff(net::Exchange& exchange, const Principal& principal);
  // The body is a binary (application/wasm), or JSON that names a registered module.
  Task<Result<>> check(net::Exchange& exchange, const Principal& principal);

 private:
  Task<Result<>> carry_out(net::Exchange& exchange, const Principal& principal, std::string_view done,
                           std::function<Result<WasiInterface>()> verb);

  Parts parts_;
};

}  // namespace hotswap::control
