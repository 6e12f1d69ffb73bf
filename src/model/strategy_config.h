// How each strategy brings a version into service (FR-WASM-007; source 001, DeploymentConfig). The `strategyConfig` of
// a deployment is one of these; what is absent has the default that stands here. Durations are at most a week.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/analysis.h"
#include "model/route.h"

namespace hotswap {

enum class DeploymentStrategy { AllAtOnce, Canary, BlueGreen, Rolling, Regional, ABTesting };
BOOST_DESCRIBE_ENUM(DeploymentStrategy, AllAtOnce, Canary, BlueGreen, Rolling, Regional, ABTesting)

// Who lets a rollout go on after a hold: the clock together with the analysis, or a person (the verb promote).
enum class Progression { automatic, manual };
BOOST_DESCRIBE_ENUM(Progression, automatic, manual)

enum class FailureAction { pause, rollback };
BOOST_DESCRIBE_ENUM(FailureAction, pause, rollback)

// A number of nodes: 2, or "25%" of those in the region, rounded up.
struct NodeShare {
  int value = 0;
  bool percent = false;
  [[nodiscard]] int of(std::size_t nodes) const;
  bool operator==(const NodeShare&) const = default;
};
template <>
struct JsonCodec<NodeShare> {
  static void read(const json::value& value, NodeShare& out, JsonReader& reader);
  static json::value write(const NodeShare& value);
};

// Before anything is routed to the new version: copies of live requests, whose answers are compared and thrown away.
struct ShadowConfig {
  int percent = 10;               // 1–100, of the live requests
  int holdSeconds = 60;           // 1 or more
  int minimumRequests = 100;      // 1–1,000,000,000 compared before the outcome counts
  double maxMismatchPercent = 0;  // 0–100
  // JSON pointers to what may differ: into the value that a function returns, or into a handler's JSON body. At
  // most 64.
  std::vector<std::string> ignorePaths;
  bool allowOutbound = false;  // let copied requests call out
  bool operator==(const ShadowConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(ShadowConfig, (),
                      (percent, holdSeconds, minimumRequests, maxMismatchPercent, ignorePaths, allowOutbound))

// What every strategy may have. The three bounds are shorthands for a metric of the analysis with that threshold.
struct CommonConfig {
  std::optional<ShadowConfig> shadow;
  std::optional<AnalysisConfig> analysis;
  std::optional<double> rollbackOnErrorRate;    // percent, above which the rollout is taken back
  std::optional<double> rollbackOnSuccessRate;  // percent, below which
  std::optional<double> rollbackOnLatencyP99;   // milliseconds, above which
  bool operator==(const CommonConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(CommonConfig, (),
                      (shadow, analysis, rollbackOnErrorRate, rollbackOnSuccessRate, rollbackOnLatencyP99))
// The analysis with the shorthands in it; nullopt where nothing is to be measured.
[[nodiscard]] std::optional<AnalysisConfig> analysis_of(const CommonConfig& config);

struct AllAtOnceConfig : CommonConfig {
  int holdSeconds = 0;  // how long the new version is watched before the deployment is Completed
  bool operator==(const AllAtOnceConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(AllAtOnceConfig, (CommonConfig), (holdSeconds))

// Node by node within each region.
struct RollingConfig : CommonConfig {
  NodeShare batchSize{1, false};          // 1 or more, or 1–100 percent
  int batchDurationSeconds = 30;          // how long a batch is watched before the next
  NodeShare maxUnavailable{0, false};     // nodes that may be lost meanwhile without stopping the rollout
  bool healthCheckBetweenBatches = true;  // a batch must report the version healthy again before the next
  FailureAction onFailure = FailureAction::pause;
  bool operator==(const RollingConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(RollingConfig, (CommonConfig),
                      (batchSize, batchDurationSeconds, maxUnavailable, healthCheckBetweenBatches, onFailure))

enum class CanaryBy { traffic, nodes };
BOOST_DESCRIBE_ENUM(CanaryBy, traffic, nodes)

// In JSON also just the weight.
struct CanaryStage {
  int weight = 0;                          // 1–100, more than the stage before
  std::optional<int> holdSeconds;          // default: the strategy's
  std::optional<Progression> progression;  // default: the strategy's
  bool operator==(const CanaryStage&) const = default;
};
template <>
struct JsonCodec<CanaryStage> {
  static void read(const json::value& value, CanaryStage& out, JsonReader& reader);
  static json::value write(const CanaryStage& value);
};

struct CanaryConfig : CommonConfig {
  // At most 32; the last is 100 percent.
  std::vector<CanaryStage> stages{{10, {}, {}}, {25, {}, {}}, {50, {}, {}}, {100, {}, {}}};
  CanaryBy by = CanaryBy::traffic;  // what a stage is a percentage of
  int holdSeconds = 300;            // at each stage but the last
  Progression progression = Progression::automatic;
  bool abortGradually = false;  // an abort goes back stage by stage
  int abortHoldSeconds = 10;    // at each of these
  bool operator==(const CanaryConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(CanaryConfig, (CommonConfig),
                      (stages, by, holdSeconds, progression, abortGradually, abortHoldSeconds))

struct BlueGreenConfig : CommonConfig {
  int testDurationSeconds = 0;         // how long green answers at the preview address only
  std::optional<HttpBinding> preview;  // where; calls by module id reach green without it
  Progression progression = Progression::automatic;
  bool keepBlue = true;
  int keepBlueSeconds = 60;  // how long the nodes keep blue ready after the switch, so that going back is instant
  bool operator==(const BlueGreenConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(BlueGreenConfig, (CommonConfig),
                      (testDurationSeconds, preview, progression, keepBlue, keepBlueSeconds))

enum class RollbackScope { region, all };
BOOST_DESCRIBE_ENUM(RollbackScope, region, all)

struct RegionalConfig : CommonConfig {
  std::vector<Region> regions;  // in this order; target regions that are not named follow in the deployment's order
  DeploymentStrategy strategy = DeploymentStrategy::AllAtOnce;  // in each region; not Regional
  json::value strategyConfig = json::object();                  // of that strategy
  int holdSeconds = 600;                                        // between two regions
  Progression progression = Progression::automatic;
  RollbackScope rollback = RollbackScope::region;  // what a failure takes back
  bool operator==(const RegionalConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(RegionalConfig, (CommonConfig),
                      (regions, strategy, strategyConfig, holdSeconds, progression, rollback))

enum class Promotion { manual, whenSignificant };
BOOST_DESCRIBE_ENUM(Promotion, manual, whenSignificant)

struct ABTestingConfig : CommonConfig {
  std::vector<int> weights{50, 50};  // of A, the version in place, and of B; sum 100
  std::optional<StickyKey> sticky = StickyKey{StickyBy::clientAddress, ""};  // null: drawn for each request
  Promotion promotion = Promotion::manual;
  int maximumSeconds = 86'400;  // 1 or more; without a significant difference until then, a person is asked
  bool operator==(const ABTestingConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(ABTestingConfig, (CommonConfig), (weights, sticky, promotion, maximumSeconds))

using StrategyConfig =
    std::variant<AllAtOnceConfig, CanaryConfig, BlueGreenConfig, RollingConfig, RegionalConfig, ABTestingConfig>;

// Every failure at once, with paths below `path`, such as "strategyConfig.stages[2].weight".
[[nodiscard]] Result<StrategyConfig> read_strategy(DeploymentStrategy strategy, const json::value& config,
                                                   const std::string& path = "strategyConfig");
[[nodiscard]] const CommonConfig& common(const StrategyConfig& config);

}  // namespace hotswap
