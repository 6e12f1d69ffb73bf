// The body of POST /api/v1/wasm/execute, with the parameters left as JSON text: the engine reads them by the function's
// own types.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/invocation.h"

namespace hotswap::node {

struct ParsedExecuteRequest {
  ExecuteRequest request;  // without params
  std::string params;      // an array or an object
};

// kInvalid with the place, or with every field that breaks a rule. Any thread.
[[nodiscard]] Result<ParsedExecuteRequest> parse_execute_request(std::string_view body);

}  // namespace hotswap::node
