#include "cli/settings.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>

#include "base/json.h"

namespace hotswap::cli {
namespace {

std::optional<std::string> variable(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

Outcome<OutputFormat> parse_output(const std::string& text, std::string_view where) {
  if (const auto format = enum_from_name<OutputFormat>(text)) return *format;
  return usage_failure(fmt::format("{}: expected one of {}, got \"{}\"", where, enum_names<OutputFormat>(), text));
}

Outcome<> read_entry(const std::string& path, const std::string& key, const YAML::Node& value, Settings& settings) {
  const std::string where = fmt::format("{}: {}", path, key);
  if (!value.IsScalar()) return usage_failure(where + ": expected a text");
  const auto text = value.as<std::string>();
  if (key == "server") {
    settings.server = text;
  } else if (key == "region") {
    settings.region = text;
  } else if (key == "output") {
    HS_TRY(settings.output, parse_output(text, where));
  } else {
    return usage_failure(where + ": unknown key; known keys are server, output, region");
  }
  return {};
}

Outcome<> read_config(const std::string& path, Settings& settings) try {
  const YAML::Node root = YAML::LoadFile(path);
  if (root.IsNull()) return {};
  if (!root.IsMap()) return usage_failure(path + ": expected a mapping such as \"server: http://host:8080\"");
  for (const auto& entry : root) HS_CHECK(read_entry(path, entry.first.as<std::string>(), entry.second, settings));
  return {};
} catch (const YAML::BadFile&) {
  return usage_failure(fmt::format("cannot read the configuration file {}", path));
} catch (const YAML::Exception& problem) {
  return usage_failure(fmt::format("{}: {}", path, problem.what()));
}

}  // namespace

std::string default_config_path(const Environment& environment) {
  if (const auto home = variable(environment, "XDG_CONFIG_HOME")) return *home + "/hotswap/config.yaml";
  if (const auto home = variable(environment, "HOME")) return *home + "/.config/hotswap/config.yaml";
  return {};
}

Outcome<Settings> resolve_settings(const GlobalOptions& options, const Environment& environment) {
  Settings settings;
  if (const auto server = variable(environment, "HOTSWAP_SERVER")) settings.server = *server;

  const std::string path = options.config.value_or(default_config_path(environment));
  std::error_code ignored;
  if (options.config || (!path.empty() && std::filesystem::exists(path, ignored))) {
    HS_CHECK(read_config(path, settings));
  }

  if (options.server) settings.server = *options.server;
  if (options.output) {
    HS_TRY(settings.output, parse_output(*options.output, "--output"));
  }
  if (settings.server.empty()) return usage_failure("--server is empty", "an address looks like http://127.0.0.1:8080");
  if (!settings.server.contains("://")) settings.server = "http://" + settings.server;
  while (settings.server.ends_with('/')) settings.server.pop_back();
  settings.quiet = options.quiet;
  // https://no-color.org: present and not empty, whatever its value.
  settings.color = !options.no_color && !variable(environment, "NO_COLOR");
  return settings;
}

}  // namespace hotswap::cli
