#include "node/execute_request.h"

#include <fmt/format.h>

#include <array>

#include "base/json.h"
#include "base/limits.h"

namespace hotswap::node {

Result<ParsedExecuteRequest> parse_execute_request(std::string_view body) {
  std::array<unsigned char, 4096> arena;
  json::monotonic_resource memory(arena.data(), arena.size());
  json::error_code code;
  json::parse_options options;
  options.max_depth = limits::kJsonDepth;
  json::value document = json::parse(body, code, &memory, options);
  if (code) return std::unexpected(parse_json(body).error());  // once more, for an error that names the place
  ParsedExecuteRequest parsed;
  if (auto* object = document.if_object()) {
    if (const auto* params = object->if_contains("params")) {
      if (!params->is_array() && !params->is_object()) {
        return fail_fields(
            {{"params", fmt::format("expected an array or an object, got {}", json_kind_name(*params))}});
      }
      // As they are written: a number goes to the guest with every digit.
      const auto text = raw_member(body, "params");
      parsed.params = text.empty() ? json::serialize(*params) : std::string(text);
      object->erase("params");
    }
  }
  HS_TRY(parsed.request, from_json<ExecuteRequest>(document));
  std::vector<FieldError> errors;
  if (parsed.request.module.has_value() == parsed.request.moduleId.has_value()) {
    errors.push_back({"module", "state either module (a name) or moduleId (one version)"});
  }
  if (parsed.request.function.empty()) errors.push_back({"function", "is required"});
  if (!errors.empty()) return fail_fields(std::move(errors));
  if (parsed.params.empty()) parsed.params = "[]";
  return parsed;
}

}  // namespace hotswap::node
