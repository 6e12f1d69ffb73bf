// Settings of the command line, from the weakest to the strongest: built-in, environment, configuration file, option.
#pragma once

#include <boost/describe.hpp>

#include <map>
#include <optional>
#include <string>

#include "cli/failure.h"

namespace hotswap::cli {

enum class OutputFormat { table, json, yaml };
BOOST_DESCRIBE_ENUM(OutputFormat, table, json, yaml)

inline constexpr std::string_view kDefaultServer = "http://127.0.0.1:8080";

// As given; absent where the option was not.
struct GlobalOptions {
  std::optional<std::string> server{};
  std::optional<std::string> output{};
  std::optional<std::string> config{};
  bool quiet = false;
  bool no_color = false;
};

struct Settings {
  std::string server{kDefaultServer};
  OutputFormat output = OutputFormat::table;
  std::optional<std::string> region;  // where commands that take a region use it by default
  bool quiet = false;
  bool color = false;
};

using Environment = std::map<std::string, std::string>;

// Reads the configuration file (a missing one is an error only where --config named it).
[[nodiscard]] Outcome<Settings> resolve_settings(const GlobalOptions& options, const Environment& environment);

// $XDG_CONFIG_HOME/hotswap/config.yaml, or ~/.config/hotswap/config.yaml; empty without either variable.
[[nodiscard]] std::string default_config_path(const Environment& environment);

}  // namespace hotswap::cli
