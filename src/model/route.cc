#include "model/route.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "model/text_rules.h"

namespace hotswap {
namespace {

// RFC 3986, section 3.3: what may stand in a path without being encoded, and '%' for what is.
bool is_path_character(char c) {
  constexpr std::string_view kPunctuation = "-._~!$&'()*+,;=:@/%";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kPunctuation.contains(c);
}

std::string prefix_problem(std::string_view prefix) {
  if (prefix.empty()) return "is required; expected a path such as \"/m/greeter/\"";
  if (prefix.size() > limits::kUrlBytes) {
    return fmt::format("is {} bytes long; at most {} are allowed", prefix.size(), limits::kUrlBytes);
  }
  if (!prefix.starts_with('/') || !prefix.ends_with('/')) return "must begin and end with '/'";
  if (prefix.contains("//")) return "must not contain \"//\"";
  if (prefix.contains("/./") || prefix.contains("/../")) return "must not contain \".\" or \"..\" as a part";
  if (!std::ranges::all_of(prefix, is_path_character)) {
    return "must contain only characters of a URL's path (others percent-encoded), without query and fragment";
  }
  for (const std::string_view reserved : {"/api/", "/health/"}) {
    if (prefix.starts_with(reserved)) return fmt::format("must not be under \"{}\", which the server uses", reserved);
  }
  return {};
}

}  // namespace

HttpBinding default_binding(std::string_view module_name) {
  return {.host = std::nullopt, .pathPrefix = fmt::format("/m/{}/", module_name)};
}

std::vector<FieldError> validate(const HttpBinding& binding, const std::string& path) {
  RuleBook rules(path);
  if (binding.host && !is_host(*binding.host)) {
    rules.broken("host", "must be a DNS name or an IP address (IPv6 in brackets), without port");
  }
  if (auto problem = prefix_problem(binding.pathPrefix); !problem.empty()) {
    rules.broken("pathPrefix", std::move(problem));
  }
  return rules.take();
}

// RFC 9110, section 5.6.2: what a field's or a cookie's name may hold.
std::vector<FieldError> validate(const StickyKey& key, const std::string& path) {
  RuleBook rules(path);
  const bool named = key.by != StickyBy::clientAddress;
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  const bool token = std::ranges::all_of(key.name, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kPunctuation.contains(c);
  });
  if (named && (key.name.empty() || key.name.size() > limits::kNameBytes || !token)) {
    rules.broken("name", fmt::format("must name the {}, such as \"x-user\", in at most {} characters of a token",
                                     enum_name(key.by), limits::kNameBytes));
  } else if (!named && !key.name.empty()) {
    rules.broken("name", "is for a header or a cookie only");
  }
  return rules.take();
}

const std::vector<WeightedVersion>& versions_on(const Route& route, const NodeId& node) {
  for (const auto& some : route.onNodes) {
    if (std::ranges::find(some.nodes, node) != some.nodes.end()) return some.versions;
  }
  return route.versions;
}

std::vector<ModuleId> versions_of(const Route& route) {
  std::vector<ModuleId> ids;
  const auto add = [&ids](const ModuleId& id) {
    if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
  };
  for (const auto& version : route.versions) add(version.moduleId);
  for (const auto& some : route.onNodes) {
    for (const auto& version : some.versions) add(version.moduleId);
  }
  if (route.preview) add(route.preview->moduleId);
  if (route.shadow) add(route.shadow->moduleId);
  return ids;
}

}  // namespace hotswap
