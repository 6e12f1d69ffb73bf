// A strategy and its settings, as options of `hotswap deploy`.
#pragma once

#include <string>

#include "cli/commands.h"

namespace hotswap::cli {

struct StrategyOptions {
  std::string strategy{};     // any spelling: "blue-green", "BlueGreen"
  std::string config_json{};  // what the options below do not say
  std::string stages{};       // "10,25,50,100"
  std::string weights{};      // "80,20"
  std::string hold{};         // "30s"
  std::string by{};
  std::string batch_size{};
  std::string order{};  // "us-east,eu-west"
  bool manual = false;
};

void add_strategy_options(CLI::App& command, StrategyOptions& options);

// "Canary" for "canary"; the word itself where it names no strategy, so that the server says what there is.
[[nodiscard]] std::string strategy_name(std::string_view word);
// Seconds of "30", "30s", "5m" or "2h".
[[nodiscard]] Outcome<std::int64_t> parse_duration(std::string_view text, std::string_view option);
// The strategyConfig; empty where nothing was given. Values are the server's to judge.
[[nodiscard]] Outcome<json::object> strategy_config(const StrategyOptions& options);

}  // namespace hotswap::cli
