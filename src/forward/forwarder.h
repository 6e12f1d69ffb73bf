// Sends a request on to a node that can serve it.
#pragma once

#include <memory>
#include <vector>

#include "base/metrics.h"
#include "forward/balancer.h"
#include "net/client.h"
#include "net/http.h"
#include "net/server.h"

namespace hotswap::forward {

// Whoever receives a request with this header serves it itself or refuses it: no request goes around in circles.
inline constexpr std::string_view kForwardedHeader = "X-HotSwap-Forwarded";
// On a refusal (503) of a forwarded request by a node that does not serve what it asks for, or not any more.
inline constexpr std::string_view kNotHereHeader = "X-HotSwap-Not-Here";

// Used on the I/O threads, each of which has connections of its own that are kept alive. Destroyed after the servers
// and before the threads.
class Forwarder {
 public:
  Forwarder(net::IoThreads& threads, const Clock& clock, Random& random, Metrics& metrics);
  ~Forwarder();

  // Replies with what one of `peers` replies to the request with this body, streaming neither. Where the connection to
  // the first failed before the request was sent, or it does not serve what is asked for, another one is tried, once.
  // kUnavailable where nobody could be reached, kUpstream where a node broke off: it may have begun, so that whoever
  // asked decides about another try.
  Task<Result<>> forward(net::Exchange& exchange, std::string body, std::vector<Peer> peers);

 private:
  struct Thread;
  struct Outcome {
    Result<net::ClientResponse> response;
    bool sent = false;  // and perhaps begun
  };
  Task<Outcome> send(Thread& thread, Peer peer, net::Exchange& exchange, std::string body);

  std::vector<std::unique_ptr<Thread>> threads_;
  Counter& forwarded_;
  Counter& retried_;
  Counter& failed_;
};

}  // namespace hotswap::forward
