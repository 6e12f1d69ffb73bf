#include "cli/strategy_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/deployment.h"

namespace hotswap::cli {
namespace {

std::string plain(std::string_view word) {
  std::string text;
  for (const char c : word) {
    if (c != '-' && c != '_') text += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return text;
}

// "10,25" → [10, 25]
Outcome<json::array> numbers(const std::string& text, std::string_view option) {
  json::array array;
  for (const auto& word : CLI::detail::split(text, ',')) {
    int number = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (code != std::errc() || end != word.data() + word.size()) {
      return usage_failure(fmt::format("{}: expected numbers such as 10,50,100, got \"{}\"", option, text));
    }
    array.emplace_back(number);
  }
  return array;
}

// What a hold is called in each strategy's settings.
std::string_view hold_member(std::string_view strategy) {
  if (strategy == enum_name(DeploymentStrategy::Rolling)) return "batchDurationSeconds";
  if (strategy == enum_name(DeploymentStrategy::BlueGreen)) return "testDurationSeconds";
  if (strategy == enum_name(DeploymentStrategy::ABTesting)) return "maximumSeconds";
  return "holdSeconds";
}

}  // namespace

void add_strategy_options(CLI::App& command, StrategyOptions& options) {
  command
      .add_option("--strategy", options.strategy,
                  "How the traffic moves, by default AllAtOnce; in any spelling, such as blue-green")
      ->check(CLI::IsMember(member_names<DeploymentStrategy>(), plain))
      ->type_name("STRATEGY");
  command.add_option("--stages", options.stages, "Canary: percent of each stage, such as 10,25,50,100")
      ->type_name("LIST");
  command.add_option("--by", options.by, "Canary: what a stage is a share of")
      ->check(CLI::IsMember(member_names<CanaryBy>()))
      ->type_name("WHAT");
  command
      .add_option("--hold", options.hold,
                  "How long each stage, batch, test or region is watched, such as 30s, 5m or 1h")
      ->type_name("TIME");
  command.add_flag("--manual", options.manual, "Go on only when told: hotswap rollout promote");
  command.add_option("--batch-size", options.batch_size, "Rolling: nodes at a time, such as 2 or 25%")
      ->type_name("NODES");
  command.add_option("--order", options.order, "Regional: regions in their order, such as us-east,eu-west")
      ->type_name("LIST");
  command.add_option("--weights", options.weights, "ABTesting: percent of A and of B, such as 80,20")
      ->type_name("LIST");
  command.add_option("--config-json", options.config_json, "More of the strategy's settings, as a JSON object")
      ->type_name("JSON");
}

std::string strategy_name(std::string_view word) {
  for (auto& name : member_names<DeploymentStrategy>()) {
    if (plain(name) == plain(word)) return name;
  }
  return std::string(word);
}

Outcome<std::int64_t> parse_duration(std::string_view text, std::string_view option) {
  std::int64_t number = -1;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const std::int64_t factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  constexpr std::int64_t kMost = 1'000'000;
  if (code != std::errc() || number < 0 || number > kMost || factor == 0) {
    return usage_failure(fmt::format("{}: expected a time such as 30s, 5m or 1h, got \"{}\"", option, text));
  }
  return number * factor;
}

Outcome<json::object> strategy_config(const StrategyOptions& options) {
  json::object config;
  if (!options.config_json.empty()) {
    auto given = parse_json(options.config_json);
    if (!given || !given->is_object()) {
      return usage_failure("--config-json: expected a JSON object such as {\"stages\": [10, 50, 100]}" +
                           (given ? std::string() : "; " + given.error().detail));
    }
    config = std::move(given->get_object());
  }
  const std::string strategy = strategy_name(options.strategy);
  if (!options.stages.empty()) {
    HS_TRY(config["stages"], numbers(options.stages, "--stages"));
  }
  if (!options.weights.empty()) {
    HS_TRY(config["weights"], numbers(options.weights, "--weights"));
  }
  if (!options.hold.empty()) {
    HS_TRY(const auto seconds, parse_duration(options.hold, "--hold"));
    config[hold_member(strategy)] = seconds;
  }
  if (!options.by.empty()) config["by"] = options.by;
  if (!options.batch_size.empty()) {
    const bool percent = options.batch_size.ends_with('%');
    int nodes = 0;
    std::from_chars(options.batch_size.data(), options.batch_size.data() + options.batch_size.size(), nodes);
    config["batchSize"] = percent ? json::value(options.batch_size) : json::value(nodes);
  }
  if (!options.order.empty()) {
    json::array regions;
    for (const auto& region : CLI::detail::split(options.order, ',')) regions.emplace_back(region);
    config["regions"] = std::move(regions);
  }
  if (options.manual) {
    const bool tests = strategy == enum_name(DeploymentStrategy::ABTesting);
    config[tests ? "promotion" : "progression"] = "manual";
  }
  return config;
}

}  // namespace hotswap::cli
