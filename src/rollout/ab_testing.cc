// B beside A with fixed weights, one user on one side, until a person or the figures say who won.
#include "rollout/strategies.h"

namespace hotswap::rollout {
namespace {

AnalysisConfig comparison(const ABTestingConfig& config) {
  if (auto analysis = analysis_of(config)) return *std::move(analysis);
  AnalysisConfig analysis;
  analysis.metrics = {{.metric = MetricKind::errorRate, .threshold = {}, .tolerance = 0, .query = {}},
                      {.metric = MetricKind::latencyP99, .threshold = {}, .tolerance = 0, .query = {}}};
  return analysis;
}

}  // namespace

Result<Steps> steps(const ABTestingConfig& config, const Ground& ground) {
  Step split = shift_to(config.weights[1], ground, "test");
  split.sticky = config.sticky;
  Step compare{.kind = StepKind::Hold, .nodes = ids_of(ground.nodes), .regions = ground.regions};
  const bool by_figures = config.promotion == Promotion::whenSignificant;
  compare.gate = by_figures ? Gate::significant : Gate::manual;
  compare.seconds = by_figures ? config.maximumSeconds : 0;
  compare.analysis = comparison(config);
  // Where a person decides and stated no bound, a worse B is a question to that person and not the end.
  if (!by_figures && !analysis_of(config)) compare.onFailure = FailureAction::pause;
  compare.stage = "test";
  return Steps{std::move(split), std::move(compare), shift_to(100, ground, "winner")};
}

}  // namespace hotswap::rollout
