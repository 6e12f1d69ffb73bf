// The public API of the control plane: one table from route to handler.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/deployments_api.h"
#include "control/fleet_api.h"
#include "control/interfaces_api.h"
#include "control/modules_api.h"
#include "control/node_protocol.h"
#include "control/nodes_api.h"
#include "control/scaling_api.h"
#include "control/settings.h"
#include "net/router.h"

namespace hotswap::control {

// The nouns that the handlers belong to.
struct Nouns {
  ModulesApi& modules;
  InterfacesApi& interfaces;
  DeploymentsApi& deployments;
  FleetApi& fleet;
  NodesApi& nodes;
  NodeProtocol& protocol;
  ScalingApi& scaling;
};

// Adds every route of the table in api.cc. `options` and what `nouns` refers to must outlive the router.
void mount(net::Router& router, const Options& options, Nouns nouns);

}  // namespace hotswap::control
