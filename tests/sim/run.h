// One simulated fleet, from its seed to its end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scenario.h"

namespace hotswap::sim {

struct Failure {
  std::string rule;
  std::vector<std::string> trace;
};

// nullopt where every invariant held.
[[nodiscard]] std::optional<Failure> run(const Scenario& scenario);

}  // namespace hotswap::sim
