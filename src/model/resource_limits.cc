#include "model/resource_limits.h"

#include <fmt/format.h>

#include <set>
#include <string_view>

#include "base/limits.h"
#include "model/text_rules.h"

namespace hotswap {
namespace {

// "/data", "/data/cache": absolute, and already in the one form in which it can be compared.
std::string directory_problem(std::string_view path) {
  if (path.empty()) return "is empty; expected a guest path such as \"/data\"";
  if (!is_plain_text(path)) return "must be UTF-8 text without NUL";
  if (path.front() != '/') return fmt::format("must be an absolute guest path such as \"/data\", got \"{}\"", path);
  if (path == "/") return "must be a folder below \"/\", such as \"/data\"";
  std::string_view rest = path.substr(1);
  while (true) {
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == "..") {
      return fmt::format("must be normalized (no \"..\", \".\", \"//\" or '/' at the end), got \"{}\"", path);
    }
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

void check_directories(const ResourceLimits& limits, RuleBook& rules) {
  if (limits.filesystemAccess == FilesystemAccess::ReadWrite && limits.allowedDirectories.empty()) {
    rules.broken("allowedDirectories", "must name at least one directory when filesystemAccess is ReadWrite");
  }
  if (limits.allowedDirectories.size() > limits::kListEntries) {
    rules.broken("allowedDirectories", fmt::format("has {} entries; at most {} are allowed",
                                                   limits.allowedDirectories.size(), limits::kListEntries));
  }
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < limits.allowedDirectories.size(); ++i) {
    const auto& path = limits.allowedDirectories[i];
    if (auto problem = directory_problem(path); !problem.empty()) {
      rules.broken_at("allowedDirectories", i, std::move(problem));
    } else if (!seen.insert(path).second) {
      rules.broken_at("allowedDirectories", i, fmt::format("\"{}\" is listed more than once", path));
    }
  }
}

void check_hosts(const ResourceLimits& limits, RuleBook& rules) {
  if (limits.networkAccess == NetworkAccess::AllowList && limits.allowedHosts.empty()) {
    rules.broken("allowedHosts", "must name at least one host when networkAccess is AllowList");
  }
  if (limits.allowedHosts.size() > limits::kListEntries) {
    rules.broken("allowedHosts", fmt::format("has {} entries; at most {} are allowed", limits.allowedHosts.size(),
                                             limits::kListEntries));
  }
  for (std::size_t i = 0; i < limits.allowedHosts.size(); ++i) {
    if (!is_host_pattern(limits.allowedHosts[i])) {
      rules.broken_at("allowedHosts", i,
                      "must be a host, host:port or *.domain (an IPv6 address in brackets), such as "
                      "\"api.example.com\", \"10.0.0.1:8443\" or \"*.example.com\"");
    }
  }
}

void check_environment(const ResourceLimits& limits, RuleBook& rules) {
  const auto& variables = limits.environmentVariables;
  if (variables.size() > limits::kEnvironmentEntries) {
    rules.broken("environmentVariables",
                 fmt::format("has {} entries; at most {} are allowed", variables.size(), limits::kEnvironmentEntries));
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : variables) {
    bytes += name.size() + value.size();
    const std::string member = "environmentVariables." + name;
    if (name.empty()) {
      rules.broken("environmentVariables", "a variable's name must not be empty");
    } else if (name.contains('=') || !is_plain_text(name)) {
      rules.broken(member, "a variable's name must be UTF-8 text without '=' and NUL");
    }
    if (!is_plain_text(value)) rules.broken(member, "must be UTF-8 text without NUL");
  }
  if (bytes > limits::kEnvironmentBytes) {
    rules.broken("environmentVariables", fmt::format("holds {} bytes of names and values; at most {} are allowed",
                                                     bytes, limits::kEnvironmentBytes));
  }
}

}  // namespace

std::vector<FieldError> validate(const ResourceLimits& limits, const std::string& path) {
  RuleBook rules(path);
  rules.range("maxMemoryMB", limits.maxMemoryMB, 1, 512);
  rules.range("maxCpuPercent", limits.maxCpuPercent, 1, 100);
  rules.range("maxExecutionTimeSeconds", limits.maxExecutionTimeSeconds, 1, 300);
  rules.range("maxConcurrentInvocations", limits.maxConcurrentInvocations, 1, 1000);
  rules.range("maxFilesMB", limits.maxFilesMB, 1, limits::kFilesMegabytesMost);
  rules.range("maxFiles", limits.maxFiles, 1, limits::kFilesMost);
  rules.range("maxOutboundRequests", limits.maxOutboundRequests, 1, limits::kOutboundRequestsMost);
  rules.range("maxOutboundMB", limits.maxOutboundMB, 1, limits::kOutboundMegabytesMost);
  check_directories(limits, rules);
  check_hosts(limits, rules);
  check_environment(limits, rules);
  return rules.take();
}

}  // namespace hotswap
