// The node's front door: JSON calls of exported functions, and HTTP requests to handler modules.
#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "model/invocation.h"
#include "model/principal.h"
#include "net/http.h"
#include "node/snapshot.h"

namespace hotswap::node {

// Used on the I/O threads of its snapshot.
class Gateway {
 public:
  Gateway(NodeId node, Region region, Snapshot& snapshot, const Clock& clock, Tracer& tracer, Metrics& metrics);

  // POST /api/v1/wasm/execute: 200 with an InvocationResult, also for a guest's own failure.
  Task<void> execute(net::Exchange& exchange, const Principal& principal);
  // Any other request: to the handler module whose host and path prefix match.
  Task<void> serve(net::Exchange& exchange);

 private:
  struct Chosen {
    std::shared_ptr<const RouteTable> table;  // keeps the version, whatever is deployed meanwhile
    ReadyVersion* version;
  };
  [[nodiscard]] Result<Chosen> choose(const ExecuteRequest& request, const Principal& principal,
                                      const Sender& sender) const;
  [[nodiscard]] std::string result_json(const ReadyVersion& version, const CallOutcome& outcome,
                                        const TraceContext& trace) const;
  void meter(const CallOutcome& outcome, Span& span);

  NodeId node_;
  Region region_;
  Snapshot& snapshot_;
  const Clock& clock_;
  Tracer& tracer_;
  Counter& invoked_;
  Counter& failed_;
  Counter& throttled_microseconds_;
  Histogram& duration_;
  std::array<Counter*, 7> failures_;  // by GuestFailure
};

}  // namespace hotswap::node
