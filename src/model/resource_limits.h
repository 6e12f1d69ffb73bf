// What a module may use (source 000, ResourceLimits; FR-WASM-006).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace hotswap {

enum class FilesystemAccess { Disabled, ReadOnly, ReadWrite };
BOOST_DESCRIBE_ENUM(FilesystemAccess, Disabled, ReadOnly, ReadWrite)

enum class NetworkAccess { Disabled, AllowList, Unrestricted };
BOOST_DESCRIBE_ENUM(NetworkAccess, Disabled, AllowList, Unrestricted)

struct ResourceLimits {
  int maxMemoryMB = 128;               // MiB over all memories and tables of a call, 1–512
  int maxCpuPercent = 50;              // of one core, 1–100
  int maxExecutionTimeSeconds = 30;    // wall time of a call, 1–300
  int maxConcurrentInvocations = 100;  // per version and node, 1–1000
  FilesystemAccess filesystemAccess = FilesystemAccess::ReadOnly;
  // Guest paths such as "/data". Each is a private folder that the node keeps for this module's name; nothing else of
  // the host is ever visible. None with ReadOnly means that nothing is visible.
  std::vector<std::string> allowedDirectories;
  NetworkAccess networkAccess = NetworkAccess::Disabled;
  std::vector<std::string> allowedHosts;  // "host", "host:port" or "*.domain"
  std::map<std::string, std::string> environmentVariables;
  bool operator==(const ResourceLimits&) const = default;
};
BOOST_DESCRIBE_STRUCT(ResourceLimits, (),
                      (maxMemoryMB, maxCpuPercent, maxExecutionTimeSeconds, maxConcurrentInvocations, filesystemAccess,
                       allowedDirectories, networkAccess, allowedHosts, environmentVariables))

// Every rule that `limits` breaks, with paths below `path` ("limits").
[[nodiscard]] std::vector<FieldError> validate(const ResourceLimits& limits, const std::string& path);

}  // namespace hotswap
