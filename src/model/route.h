// A route holds weighted versions; a rollout only ever changes routes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace hotswap {

struct WeightedVersion {
  ModuleId moduleId;
  int weight = 0;  // percent
  bool operator==(const WeightedVersion&) const = default;
};
BOOST_DESCRIBE_STRUCT(WeightedVersion, (), (moduleId, weight))

// Where an HTTP-handler module answers on the gateway: by host, by path prefix, or by both.
struct HttpBinding {
  std::optional<std::string> host;  // compared without port and case; absent = any
  std::string pathPrefix;           // begins and ends with '/'; the guest sees the path from its last '/' on
  bool operator==(const HttpBinding&) const = default;
};
BOOST_DESCRIBE_STRUCT(HttpBinding, (), (host, pathPrefix))

// The traffic of one module name in one region. Weights sum to 100.
struct Route {
  TenantId tenant;
  std::string name;
  Region region;
  std::vector<WeightedVersion> versions;
  HttpBinding http;
  bool operator==(const Route&) const = default;
};
BOOST_DESCRIBE_STRUCT(Route, (), (tenant, name, region, versions, http))

// "/m/{name}/"
[[nodiscard]] HttpBinding default_binding(std::string_view module_name);
[[nodiscard]] std::vector<FieldError> validate(const HttpBinding& binding, const std::string& path);

}  // namespace hotswap
