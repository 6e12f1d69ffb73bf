// Sends a request on to a node that can serve it.
#pragma once

#include <memory>
#include <vector>

#include "base/metrics.h"
#include "forward/balancer.h"
#include "forward/hop.h"
#include "net/client.h"
#include "net/http.h"
#include "net/server.h"

namespace hotswap::forward {

// Used on the I/O threads, each of which has connections of its own that are kept alive. Destroyed after the servers
// and before the threads.
class Forwarder {
 public:
  Forwarder(net::IoThreads& threads, const Clock& clock, Random& random, Metrics& metrics);
  ~Forwarder();

  // Replies with what one of `peers` replies. Both bodies are streamed as fast as their receivers take them; `body` is
  // what has been read of the request's already. Where the connection to the first node failed before the request was
  // sent, or it does not serve what is asked for, another one is tried, once. A node that breaks off within its reply
  // cuts the client's connection too; a client that leaves ends the request at the node. Otherwise, without a reply:
  // kUnavailable where nobody could be reached, kUpstream where a node broke off: it may have begun, so that whoever
  // asked decides about another try; or what is wrong with the request's body.
  Task<Result<>> forward(net::Exchange& exchange, std::string body, std::vector<Peer> peers);

 private:
  struct Thread;
  struct Upload;
  struct Outcome;
  static Task<Outcome> send(std::shared_ptr<Thread> thread, Peer peer, Upload& upload);
  static Task<Error> pump(Upload& upload, net::ClientStream& stream);

  std::vector<std::shared_ptr<Thread>> threads_;  // requests that are cut off when everything stops hold theirs
  Counter& forwarded_;
  Counter& retried_;
  Counter& failed_;
};

}  // namespace hotswap::forward
