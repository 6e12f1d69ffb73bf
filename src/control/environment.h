// Regions and the environment that each belongs to (shared rule: production needs an Admin's approval).
#pragma once

#include <boost/describe.hpp>

#include "base/id.h"
#include "scaling/scaling.h"

namespace hotswap::control {

enum class Environment { development, staging, production };
BOOST_DESCRIBE_ENUM(Environment, development, staging, production)

struct RegionSetting {
  Region region;
  Environment environment = Environment::development;
  int replicas = 0;         // copies of each module, 1–3; 0 = on every node
  scaling::Bounds nodes{};  // that autoscaling keeps to
};

}  // namespace hotswap::control
