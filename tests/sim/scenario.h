// What one simulated fleet goes through. Everything follows from the seed; what a failure does not need can be taken
// away.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hotswap::sim {

struct Scenario {
  std::uint64_t seed = 0;
  int regions = 1;      // 1–3
  int nodes = 3;        // 1–50, spread over the regions
  int deployments = 3;  // one after the other, of one or two module names
  bool loss = true;     // and delay up to seconds
  bool duplication = true;
  bool partitions = true;
  bool node_crashes = true;
  bool control_crashes = true;
  bool store_faults = true;  // changes and answers that are lost
  bool failing_versions = true;
  bool skew = true;   // of the control plane's clock, another in each of its lives
  bool verbs = true;  // people who pause, promote, abort, roll back
};

[[nodiscard]] Scenario scenario_of(std::uint64_t seed);
// Every scenario that is a little smaller.
[[nodiscard]] std::vector<Scenario> smaller(const Scenario& scenario);
[[nodiscard]] std::string describe(const Scenario& scenario);

}  // namespace hotswap::sim
