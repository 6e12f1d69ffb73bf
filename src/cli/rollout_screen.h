// Where a rollout stands, drawn over several lines of a terminal and redrawn with every event.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "cli/context.h"

namespace hotswap::cli {

// Draws on the context's error stream, and only where that is a terminal and neither --quiet nor a machine-readable
// output asks for silence. What it drew is wiped when the object ends.
class RolloutScreen {
 public:
  explicit RolloutScreen(Context& context);
  ~RolloutScreen();
  RolloutScreen(const RolloutScreen&) = delete;
  RolloutScreen& operator=(const RolloutScreen&) = delete;

  [[nodiscard]] bool visible() const noexcept { return visible_; }
  // The deployment's document: its plan and its names.
  void know(const json::value& deployment);
  // Takes the next event in, and draws.
  void take(const json::value& event);
  void wipe();

  // What is drawn, a line each: versions and status, bar and step, stages, a bar for each region, nodes, analysis.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  struct RegionRoute {
    std::string region;
    double share = 0;     // of the new version, 0–1
    std::string weights;  // "b-v2 25%  a-v1 75%"
  };
  void take_step(const json::value& detail);
  void take_routes(const json::value& routes);
  void draw();
  [[nodiscard]] std::string stages() const;

  Context& context_;
  bool visible_;
  std::size_t drawn_ = 0;  // lines
  json::value deployment_;
  std::string status_;
  std::uint64_t percent_ = 0;
  std::size_t step_ = 0;
  std::string stage_;
  std::string nodes_;
  std::vector<RegionRoute> routes_;
  std::vector<std::string> analysis_;
  std::string last_;  // the last event, for what the lines above do not show
};

}  // namespace hotswap::cli
