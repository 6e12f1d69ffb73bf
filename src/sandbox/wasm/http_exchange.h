// Carries one HTTP request into a guest and its response out, streaming both ways.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/http.h"
#include "sandbox/wasm/call.h"
#include "sandbox/wasm/engine.h"
#include "sandbox/wasm/grants.h"

namespace hotswap::wasm {

// Starts the guest's handler with what has arrived of the request; nothing has run yet.
[[nodiscard]] Result<eng_call*> start_http_call(const Image& image, const eng_grants& grants, net::Exchange& exchange,
                                                std::size_t prefix_size);

// Drives the call to its end and replies. See Workload::serve.
Task<Result<CallOutcome>> serve_http(Call& call, net::Exchange& exchange);

}  // namespace hotswap::wasm
