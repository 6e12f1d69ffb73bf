// The only thing that a rollout changes: routes. Pure.
#pragma once

#include <vector>

#include "model/deployment.h"

namespace hotswap::rollout {

struct RouteChange {
  std::vector<Route> put;
  std::vector<Route> drop;
};

// The routes that a Shift, a Preview or a Shadow step asks for in its regions: the new version at the step's weight,
// and what was routed before the rollout sharing the rest in its old proportions. Where nothing was routed before, the
// new version takes everything; a preview stands alone there, in a route without versions, and a shadow, which has
// nothing to copy, changes nothing.
[[nodiscard]] std::vector<Route> changed(const TenantId& tenant, const Deployment& deployment, const Step& step);

// Back to exactly the routes before the rollout; those that did not exist are dropped. Only in `regions` where any are
// named.
[[nodiscard]] RouteChange back(const TenantId& tenant, const Deployment& deployment,
                               const std::vector<Region>& regions = {});

// All traffic of the deployment's regions to one version.
[[nodiscard]] std::vector<Route> all_to(const TenantId& tenant, const Deployment& deployment, const ModuleId& version);

}  // namespace hotswap::rollout
