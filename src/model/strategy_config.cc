#include "model/strategy_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/limits.h"
#include "model/text_rules.h"

namespace hotswap {
namespace {

constexpr long long kLongest = limits::kHoldMost.count();
constexpr int kRequestsMost = 1'000'000'000;

void check_percent(RuleBook& rules, std::string_view member, std::optional<double> value) {
  if (value && (*value < 0 || *value > 100)) {
    rules.broken(member, fmt::format("must be between 0 and 100, got {}", *value));
  }
}

void check_share(RuleBook& rules, std::string_view member, const NodeShare& share, int least) {
  if (share.percent) {
    if (share.value < least || share.value > 100) {
      rules.broken(member, fmt::format("must be between {}% and 100%, got {}%", least, share.value));
    }
  } else {
    rules.range(member, share.value, least, static_cast<long long>(limits::kNodesPerCluster));
  }
}

std::vector<FieldError> check_shadow(const ShadowConfig& shadow, const std::string& path) {
  RuleBook rules(path);
  rules.range("percent", shadow.percent, 1, 100);
  rules.range("holdSeconds", shadow.holdSeconds, 1, kLongest);
  rules.range("minimumRequests", shadow.minimumRequests, 1, kRequestsMost);
  check_percent(rules, "maxMismatchPercent", shadow.maxMismatchPercent);
  if (shadow.ignorePaths.size() > limits::kListEntries) {
    rules.broken("ignorePaths", fmt::format("has {} entries; at most {} are allowed", shadow.ignorePaths.size(),
                                            limits::kListEntries));
  }
  for (std::size_t i = 0; i < shadow.ignorePaths.size(); ++i) {
    const auto& pointer = shadow.ignorePaths[i];
    if (!pointer.starts_with('/') || !is_plain_text(pointer)) {
      rules.broken_at("ignorePaths", i, "must be a JSON pointer such as \"/items/0/at\"");
    }
  }
  return rules.take();
}

void check_common(const CommonConfig& config, const std::string& path, RuleBook& rules) {
  if (config.shadow) rules.add(check_shadow(*config.shadow, path + ".shadow"));
  if (config.analysis) rules.add(validate(*config.analysis, path + ".analysis"));
  check_percent(rules, "rollbackOnErrorRate", config.rollbackOnErrorRate);
  check_percent(rules, "rollbackOnSuccessRate", config.rollbackOnSuccessRate);
  if (config.rollbackOnLatencyP99 && !(*config.rollbackOnLatencyP99 > 0)) {
    rules.broken("rollbackOnLatencyP99", fmt::format("must be more than 0, got {}", *config.rollbackOnLatencyP99));
  }
}

void check(const AllAtOnceConfig& config, const std::string& /*path*/, RuleBook& rules) {
  rules.range("holdSeconds", config.holdSeconds, 0, kLongest);
}

void check(const RollingConfig& config, const std::string& /*path*/, RuleBook& rules) {
  check_share(rules, "batchSize", config.batchSize, 1);
  rules.range("batchDurationSeconds", config.batchDurationSeconds, 0, kLongest);
  check_share(rules, "maxUnavailable", config.maxUnavailable, 0);
}

void check(const CanaryConfig& config, const std::string& path, RuleBook& rules) {
  if (config.stages.empty() || config.stages.size() > limits::kCanaryStages) {
    rules.broken("stages",
                 fmt::format("must have 1 to {} entries, has {}", limits::kCanaryStages, config.stages.size()));
  }
  for (std::size_t i = 0; i < config.stages.size(); ++i) {
    const auto& stage = config.stages[i];
    RuleBook at(fmt::format("{}.stages[{}]", path, i));
    at.range("weight", stage.weight, 1, 100);
    if (i > 0 && stage.weight <= config.stages[i - 1].weight) {
      at.broken("weight", fmt::format("must be more than the {} of the stage before", config.stages[i - 1].weight));
    }
    if (i + 1 == config.stages.size() && stage.weight != 100) {
      at.broken("weight", fmt::format("of the last stage must be 100, got {}", stage.weight));
    }
    if (stage.holdSeconds) at.range("holdSeconds", *stage.holdSeconds, 0, kLongest);
    rules.add(at.take());
  }
  rules.range("holdSeconds", config.holdSeconds, 0, kLongest);
  rules.range("abortHoldSeconds", config.abortHoldSeconds, 0, kLongest);
}

void check(const BlueGreenConfig& config, const std::string& path, RuleBook& rules) {
  rules.range("testDurationSeconds", config.testDurationSeconds, 0, kLongest);
  if (config.preview) rules.add(validate(*config.preview, path + ".preview"));
  rules.range("keepBlueSeconds", config.keepBlueSeconds, 0, kLongest);
}

void check(const RegionalConfig& config, const std::string& path, RuleBook& rules) {
  std::set<Region> seen;
  for (std::size_t i = 0; i < config.regions.size(); ++i) {
    if (auto problem = name_problem(config.regions[i].str()); !problem.empty()) {
      rules.broken_at("regions", i, std::move(problem));
    } else if (!seen.insert(config.regions[i]).second) {
      rules.broken_at("regions", i, fmt::format("\"{}\" is listed more than once", config.regions[i].str()));
    }
  }
  if (config.strategy == DeploymentStrategy::Regional) {
    rules.broken("strategy", "must be a strategy for one region, not Regional");
  } else if (auto inner = read_strategy(config.strategy, config.strategyConfig, path + ".strategyConfig"); !inner) {
    rules.add(std::move(inner.error().fields));
  }
  rules.range("holdSeconds", config.holdSeconds, 0, kLongest);
}

void check(const ABTestingConfig& config, const std::string& path, RuleBook& rules) {
  const auto& weights = config.weights;
  if (weights.size() != 2) {
    rules.broken("weights", fmt::format("must be the weights of A and of B, such as [80, 20]; has {}", weights.size()));
  } else {
    for (std::size_t i = 0; i < 2; ++i) {
      if (weights[i] < 1 || weights[i] > 99) {
        rules.broken_at("weights", i, fmt::format("must be between 1 and 99, got {}", weights[i]));
      }
    }
    if (weights[0] + weights[1] != 100) {
      rules.broken("weights", fmt::format("must sum to 100, sum to {}", weights[0] + weights[1]));
    }
  }
  if (config.sticky) rules.add(validate(*config.sticky, path + ".sticky"));
  rules.range("maximumSeconds", config.maximumSeconds, 1, kLongest);
}

template <class Config>
Result<StrategyConfig> read(const json::value& value, const std::string& path) {
  auto config = from_json<Config>(value);
  if (!config) {
    std::vector<FieldError> errors = std::move(config.error().fields);
    for (auto& error : errors) error.field = error.field == "$" ? path : path + '.' + error.field;
    return fail_fields(std::move(errors));
  }
  RuleBook rules(path);
  check_common(*config, path, rules);
  check(*config, path, rules);
  if (auto errors = rules.take(); !errors.empty()) return fail_fields(std::move(errors));
  return StrategyConfig(*std::move(config));
}

// CanaryStage's own codec would call itself; this has the same members without one.
struct StageObject {
  int weight = 0;
  std::optional<int> holdSeconds;
  std::optional<Progression> progression;
  static constexpr std::array<std::string_view, 1> kRequired{"weight"};
};
BOOST_DESCRIBE_STRUCT(StageObject, (), (weight, holdSeconds, progression))

}  // namespace

int NodeShare::of(std::size_t nodes) const {
  if (!percent) return value;
  return static_cast<int>((nodes * static_cast<std::size_t>(value) + 99) / 100);
}

void JsonCodec<NodeShare>::read(const json::value& value, NodeShare& out, JsonReader& reader) {
  if (const auto* text = value.if_string()) {
    int number = 0;
    const auto* end = text->data() + text->size();
    const auto [stop, code] = std::from_chars(text->data(), end, number);
    if (code == std::errc() && stop + 1 == end && *stop == '%') {
      out = {number, true};
      return;
    }
  } else if (value.is_number()) {
    out.percent = false;
    return read_json(value, out.value, reader);
  }
  reader.error("expected a number of nodes or a percentage such as \"25%\", got " + json::serialize(value));
}

json::value JsonCodec<NodeShare>::write(const NodeShare& value) {
  if (value.percent) return json::string(fmt::format("{}%", value.value));
  return value.value;
}

void JsonCodec<CanaryStage>::read(const json::value& value, CanaryStage& out, JsonReader& reader) {
  if (value.is_number()) {
    out = {};
    return read_json(value, out.weight, reader);
  }
  StageObject stage;
  read_json(value, stage, reader);
  out = {stage.weight, stage.holdSeconds, stage.progression};
}

json::value JsonCodec<CanaryStage>::write(const CanaryStage& value) {
  if (!value.holdSeconds && !value.progression) return value.weight;
  return to_json(StageObject{value.weight, value.holdSeconds, value.progression});
}

std::optional<AnalysisConfig> analysis_of(const CommonConfig& config) {
  auto analysis = config.analysis;
  const auto add = [&analysis](MetricKind kind, std::optional<double> threshold) {
    if (!threshold) return;
    if (!analysis) analysis.emplace();
    analysis->metrics.push_back({.metric = kind, .threshold = threshold, .tolerance = {}, .query = {}});
  };
  add(MetricKind::errorRate, config.rollbackOnErrorRate);
  add(MetricKind::successRate, config.rollbackOnSuccessRate);
  add(MetricKind::latencyP99, config.rollbackOnLatencyP99);
  return analysis;
}

Result<StrategyConfig> read_strategy(DeploymentStrategy strategy, const json::value& config, const std::string& path) {
  switch (strategy) {
    case DeploymentStrategy::AllAtOnce:
      return read<AllAtOnceConfig>(config, path);
    case DeploymentStrategy::Canary:
      return read<CanaryConfig>(config, path);
    case DeploymentStrategy::BlueGreen:
      return read<BlueGreenConfig>(config, path);
    case DeploymentStrategy::Rolling:
      return read<RollingConfig>(config, path);
    case DeploymentStrategy::Regional:
      return read<RegionalConfig>(config, path);
    case DeploymentStrategy::ABTesting:
      return read<ABTestingConfig>(config, path);
  }
  return fail(ErrorKind::kInternal, "a strategy without a configuration");
}

const CommonConfig& common(const StrategyConfig& config) {
  return std::visit([](const auto& one) -> const CommonConfig& { return one; }, config);
}

}  // namespace hotswap
