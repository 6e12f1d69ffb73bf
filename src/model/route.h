// A route holds weighted versions; a rollout only ever changes routes.
#pragma once

#include <array>
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

// What of a request decides which version it gets, so that one user keeps to one version.
enum class StickyBy { header, cookie, clientAddress };
BOOST_DESCRIBE_ENUM(StickyBy, header, cookie, clientAddress)
struct StickyKey {
  static constexpr std::array<std::string_view, 1> kRequired{"by"};
  StickyBy by = StickyBy::clientAddress;
  std::string name;  // of the header or the cookie
  bool operator==(const StickyKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(StickyKey, (), (by, name))

// Some nodes of the region, and the weights that hold there instead of the route's.
struct NodeWeights {
  std::vector<NodeId> nodes;
  std::vector<WeightedVersion> versions;
  bool operator==(const NodeWeights&) const = default;
};
BOOST_DESCRIBE_STRUCT(NodeWeights, (), (nodes, versions))

// Where a version answers that is not in the traffic yet.
struct Preview {
  ModuleId moduleId;
  HttpBinding http;
  bool operator==(const Preview&) const = default;
};
BOOST_DESCRIBE_STRUCT(Preview, (), (moduleId, http))

// A version that gets copies of live requests; its answers are compared with the real ones and thrown away.
struct ShadowRule {
  ModuleId moduleId;
  int percent = 0;
  std::vector<std::string> ignorePaths;  // JSON pointers
  bool allowOutbound = false;
  bool operator==(const ShadowRule&) const = default;
};
BOOST_DESCRIBE_STRUCT(ShadowRule, (), (moduleId, percent, ignorePaths, allowOutbound))

// The traffic of one module name in one region. Weights sum to 100, also those of each entry of `onNodes`; there are no
// versions where only a preview answers.
struct Route {
  TenantId tenant;
  std::string name;
  Region region;
  std::vector<WeightedVersion> versions;
  HttpBinding http;
  std::vector<NodeWeights> onNodes = {};  // no node stands in two
  std::optional<StickyKey> sticky = {};
  std::optional<Preview> preview = {};
  std::optional<ShadowRule> shadow = {};
  bool operator==(const Route&) const = default;
};
BOOST_DESCRIBE_STRUCT(Route, (), (tenant, name, region, versions, http, onNodes, sticky, preview, shadow))

// The weights that hold on this node.
[[nodiscard]] const std::vector<WeightedVersion>& versions_on(const Route& route, const NodeId& node);
// Every version that some node needs for this route, once.
[[nodiscard]] std::vector<ModuleId> versions_of(const Route& route);

// "/m/{name}/"
[[nodiscard]] HttpBinding default_binding(std::string_view module_name);
[[nodiscard]] std::vector<FieldError> validate(const HttpBinding& binding, const std::string& path);
[[nodiscard]] std::vector<FieldError> validate(const StickyKey& key, const std::string& path);

}  // namespace hotswap
