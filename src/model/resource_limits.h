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
  int maxFilesMB = 64;    // MiB of disk in all these folders together, on one node, 1–10240
  int maxFiles = 10'000;  // files, folders and links in them, 1–1000000
  NetworkAccess networkAccess = NetworkAccess::Disabled;
  // "host", "host:port" or "*.domain". What is named as itself may have any address; what a wildcard covers, and with
  // Unrestricted all other hosts, must have public addresses: no loopback, link-local (metadata), private or other one.
  std::vector<std::string> allowedHosts;
  int maxOutboundRequests = 100;  // HTTP requests, connections and datagrams of a call, 1–10000
  int maxOutboundMB = 64;         // MiB that the HTTP requests of a call send, and that they receive, 1–1024 each
  std::map<std::string, std::string> environmentVariables;
  bool operator==(const ResourceLimits&) const = default;
};
BOOST_DESCRIBE_STRUCT(ResourceLimits, (),
                      (maxMemoryMB, maxCpuPercent, maxExecutionTimeSeconds, maxConcurrentInvocations, filesystemAccess,
                       allowedDirectories, maxFilesMB, maxFiles, networkAccess, allowedHosts, maxOutboundRequests,
                       maxOutboundMB, environmentVariables))

// Every rule that `limits` breaks, with paths below `path` ("limits").
[[nodiscard]] std::vector<FieldError> validate(const ResourceLimits& limits, const std::string& path);

}  // namespace hotswap
