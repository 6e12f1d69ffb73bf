// Every operation on modules and deployments is traced (source 002, "Distributed Tracing"), whatever the caller's
// sampling decision says: there are few of them.
#pragma once

#include "net/http.h"

namespace hotswap::control {

[[nodiscard]] inline TraceContext operation_trace(const net::Exchange& exchange) {
  TraceContext trace = exchange.trace();
  trace.sampled = true;
  return trace;
}

}  // namespace hotswap::control
