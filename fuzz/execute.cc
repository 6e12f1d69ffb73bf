// JSON bodies: of POST /api/v1/wasm/execute, and the same text as a deployment.
#include "fuzz/pieces.h"
#include "model/deployment.h"
#include "node/execute_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hotswap;
  const auto body = fuzz::text_of(data, size);
  if (const auto parsed = node::parse_execute_request(body)) {
    const auto params = parse_json(parsed->params);
    fuzz::require(params && (params->is_array() || params->is_object()), "params are an array or an object");
    const auto document = parse_json(body);
    const auto* stated = document ? document->as_object().if_contains("params") : nullptr;
    fuzz::require(stated == nullptr || *stated == *params, "params are those of the request");
    fuzz::require(!parsed->request.function.empty(), "a call names a function");
  }
  if (const auto document = parse_json(body)) {
    if (const auto request = from_json<DeploymentRequest>(*document)) {
      fuzz::require(from_json<DeploymentRequest>(to_json(*request)).has_value(), "what is written can be read");
      (void)validate(*request);
    }
  }
  return 0;
}
