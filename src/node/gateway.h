// The node's front door: JSON calls of exported functions, and HTTP requests to handler modules.
#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "forward/forwarder.h"
#include "model/invocation.h"
#include "model/principal.h"
#include "net/http.h"
#include "node/audit.h"
#include "node/execute_request.h"
#include "node/shadow.h"
#include "node/snapshot.h"
#include "sandbox/wasm/aside.h"

namespace hotswap::node {

// Used on the I/O threads of its snapshot.
class Gateway {
 public:
  struct Here {
    NodeId node;
    Region region;
    std::string forward_key;  // what a request shows that was sent on to this node by one of the fleet
  };
  // `forwarder` sends on what other nodes of the region serve; null where there are none. `aside`: where long requests
  // are read and long results written.
  Gateway(Here here, Snapshot& snapshot, Shadows& shadows, forward::Forwarder* forwarder, wasm::Aside& aside,
          const Clock& clock, Tracer& tracer, Metrics& metrics);

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
  // The peers that serve what this node does not; nullptr where the request is this node's, or nobody's.
  [[nodiscard]] const std::vector<Peer>* elsewhere(const net::Exchange& exchange, const ExecuteRequest& request,
                                                   const RouteTable& table, const Principal& principal) const;
  // What no version of this node answers: to the peers that have one, where there are any.
  Task<void> serve_elsewhere(net::Exchange& exchange, const std::vector<Peer>* peers);
  Task<void> send_on(net::Exchange& exchange, std::string body, std::vector<Peer> peers);
  [[nodiscard]] std::string result_json(const ReadyVersion& version, const CallOutcome& outcome,
                                        const TraceContext& trace) const;
  // Of a request that was answered, for the version that shadows its route.
  void copy_call(Chosen chosen, const Principal& principal, ParsedExecuteRequest parsed, CallOutcome outcome,
                 const TraceContext& trace, std::string via);
  Task<void> copy_http(std::shared_ptr<const RouteTable> table, RouteTable::HttpMatch match,
                       std::unique_ptr<RecordingExchange> recorded, CallOutcome outcome);
  void meter(ReadyVersion& version, const CallOutcome& outcome, Span& span);

  NodeId node_;
  Region region_;
  std::string forward_key_;
  Snapshot& snapshot_;
  Shadows& shadows_;
  forward::Forwarder* forwarder_;
  wasm::Aside& aside_;
  const Clock& clock_;
  Tracer& tracer_;
  Audit audit_;
  Counter& invoked_;
  Counter& failed_;
  Counter& throttled_microseconds_;
  Counter& calls_aside_;
  Histogram& duration_;
  std::array<Counter*, 7> failures_;  // by GuestFailure
  std::array<Counter*, 9> refusals_;  // by RefusalKind
};

}  // namespace hotswap::node
