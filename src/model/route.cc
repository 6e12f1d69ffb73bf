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

}  // namespace hotswap
