// The node's side of the control plane over HTTP: joining, the desired state by long-poll, reports, artifacts.
#pragma once

#include <deque>
#include <mutex>

#include "blobs/blobs.h"
#include "control/fleet.h"
#include "control/node_registry.h"
#include "net/http.h"

namespace hotswap::control {

// Handlers run on any I/O thread. Each but join() wants the node's credential: "Authorization: Bearer …".
class NodeProtocol {
 public:
  struct Parts {
    Home& home;  // of fleet and registry
    Fleet& fleet;
    NodeRegistry& registry;
    Store& store;
    BlobStore& blobs;
    BlockingPool& pool;
    BlockingPool& transfers;
  };
  explicit NodeProtocol(Parts parts) : parts_(parts) {}

  // With a join token in place of the credential.
  Task<Result<>> join(net::Exchange& exchange);
  Task<Result<>> rotate(net::Exchange& exchange);
  // The node tells how it is now, as it does once in each life.
  Task<Result<>> introduce(net::Exchange& exchange);
  Task<Result<>> desired_state(net::Exchange& exchange);
  Task<Result<>> report(net::Exchange& exchange);
  Task<Result<>> invocations(net::Exchange& exchange);
  Task<Result<>> artifact(net::Exchange& exchange);

 private:
  Task<Result<NodeId>> admit(const net::Exchange& exchange);
  [[nodiscard]] std::shared_ptr<const std::string> change_json(const Fleet::Polled& polled);

  Parts parts_;
  // Many nodes make the same step at the same time: it is written as JSON once.
  struct Written {
    std::shared_ptr<const DesiredState> before;
    std::shared_ptr<const DesiredState> now;
    std::shared_ptr<const std::string> text;
  };
  std::mutex mutex_;
  std::deque<Written> written_;  // the latest last
};

}  // namespace hotswap::control
