// Nodes and join tokens as people manage them.
#pragma once

#include "control/fleet.h"
#include "control/node_registry.h"
#include "model/principal.h"
#include "net/http.h"

namespace hotswap::control {

// Handlers run on any I/O thread.
class NodesApi {
 public:
  struct Parts {
    Home& home;  // of fleet and registry
    Fleet& fleet;
    NodeRegistry& registry;
  };
  explicit NodesApi(Parts parts) : parts_(parts) {}

  Task<Result<>> list(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> show(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> health(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> remove(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> drain(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> enable(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> disable(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> pin(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> unpin(net::Exchange& exchange, const Principal& principal);

  Task<Result<>> create_token(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> tokens(net::Exchange& exchange, const Principal& principal);
  Task<Result<>> revoke_token(net::Exchange& exchange, const Principal& principal);

 private:
  Task<Result<NodeStatus>> status(TenantId tenant, NodeId id);
  // Replies with the node as it is after `change`.
  Task<Result<>> after(net::Exchange& exchange, const Principal& principal, Task<Result<NodeRecord>> change);

  Parts parts_;
};

}  // namespace hotswap::control
