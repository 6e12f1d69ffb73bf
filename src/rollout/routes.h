// The only thing that a rollout changes: routes. Pure.
#pragma once

#include <vector>

#include "model/deployment.h"

namespace hotswap::rollout {

struct RouteChange {
  std::vector<Route> put;
  std::vector<Route> drop;
};

// The routes that a Shift step asks for: the new version at the step's weight, and what was routed before the rollout
// sharing the rest in its old proportions. Where nothing was routed before, the new version takes everything.
[[nodiscard]] std::vector<Route> shift(const TenantId& tenant, const Deployment& deployment, const Step& step);

// Back to exactly the routes before the rollout; those that did not exist are dropped.
[[nodiscard]] RouteChange back(const TenantId& tenant, const Deployment& deployment);

}  // namespace hotswap::rollout
