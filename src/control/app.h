// The control plane, wired: API, driver, fleet and registry over one store and one blob store.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/strand.hpp>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/blocking_pool.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "blobs/blobs.h"
#include "control/inspector.h"
#include "control/settings.h"
#include "model/desired_state.h"
#include "model/node_report.h"
#include "net/router.h"
#include "store/store.h"

namespace hotswap::control {

struct Parts {
  Store& store;
  BlobStore& blobs;
  Inspector& inspector;
  BlockingPool& pool;  // SQL and files
  BlockingPool& cpu;   // validation
  const Clock& clock;
  Random& random;
  Tracer& tracer;
  Metrics& metrics;
};

// Call from any thread, unless said otherwise. What changes lives on a strand of `home`, whose context must outlive
// this object. The way down: stop(), then stop the threads that run the context, then destroy this object.
class App {
 public:
  App(asio::any_io_executor home, Options options, Parts parts);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Before serving begins. The router must not be used after this object has gone.
  void mount(net::Router& router);
  // Removes what a crash left, publishes the stored routes, takes up unfinished deployments.
  Task<Result<>> start();
  // Ends polls, event streams and the driver. What was acknowledged stays as it is; the next start carries on.
  Task<void> stop();

  // ---- the fleet's side of the node protocol (see node::ControlLink)
  // `region` is needed until the node has reported, where there are several regions. kConflict without it.
  Task<Result<DesiredState>> desired_state(NodeId node, std::int64_t after, Region region = {},
                                           std::string incarnation = {});
  Task<Result<ReportReply>> report(NodeReport report);
  // The secret of a new join token, made for whoever runs this process.
  Task<Result<std::string>> create_join_token(JoinTokenRequest request);
  // For POST /api/v1/wasm/execute where no node is in this process: the nodes that can answer a request with this body.
  Task<Result<std::vector<Peer>>> serving(TenantId tenant, std::string_view body);
  // A node of this process, which needs no credential.
  Task<Result<>> introduce(NodeDescription node);
  // `sink` runs on a blocking thread, one call at a time; all of its calls come before this returns. The content is
  // verified when it succeeds.
  Task<Result<>> fetch(Digest digest, std::function<Result<>(std::span<const std::byte>)> sink);
  Task<Result<>> count_invocations(std::vector<Store::InvocationCount> counts);

  // ---- for whoever starts and stops nodes
  // Drains a node, and returns when nothing is sent to it any more and the nodes of its region know. Where that takes
  // longer than limits::kRetireDeadline the node is enabled again, and this is kDeadline.
  Task<Result<>> retire(NodeId node);
  // A node that is about to be started again, and may have been drained before; one that is not known is fine.
  Task<Result<>> enable(NodeId node);
  // Forgets a node that has ended.
  Task<Result<>> remove(NodeId node);

 private:
  struct Wiring;
  std::unique_ptr<Wiring> wiring_;
};

}  // namespace hotswap::control
