// Copies of live requests to a version that is not in the traffic yet, whose answers are compared and thrown away.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/metrics.h"
#include "net/server.h"
#include "node/route_table.h"
#include "node/shadow_answer.h"
#include "node/shadow_exchange.h"

namespace hotswap::node {

struct CopiedCall {
  std::string function;
  std::string params;  // JSON
  BytesEncoding bytes = BytesEncoding::array;
  TraceContext trace;
  std::string via{};  // CDN-Loop
};

struct CopiedHttp {
  net::LocalRequest request;
  std::size_t prefix_size = 0;
};

// A request that was answered, and what it was answered.
struct ShadowCopy {
  std::shared_ptr<const RouteTable> table;  // holds `route`
  const ShadowRoute* route;
  std::variant<CopiedCall, CopiedHttp> request;
  Answer live;
};

// Runs copies on the I/O thread of their request, after its reply and behind whatever else is ready there: no request
// waits for its copy. A bounded number at once, of which each gives way like any call; what finds no room is dropped
// and counted. A copy may not write files, nor call out unless its route says so. Used on the I/O threads.
class Shadows {
 public:
  Shadows(net::IoThreads& threads, const NodeId& node, Metrics& metrics);
  ~Shadows();
  Shadows(const Shadows&) = delete;
  Shadows& operator=(const Shadows&) = delete;

  // Whether a request that `live` answers is of the share that is copied. Draws.
  [[nodiscard]] static bool takes(const ShadowRoute& route, const ReadyVersion& live);
  void run(ShadowCopy copy);
  // One that takes() chose and that cannot be run.
  void drop(const ShadowRoute& route);
  // Ends all copies and takes none any more; awaited before the I/O threads stop.
  Task<void> stop();

 private:
  struct Thread;
  Task<void> work(Thread& thread);
  Task<void> run_one(Thread& thread, ShadowCopy copy);
  void judge(const ShadowCopy& copy, const Answer& answer);

  NodeId node_;
  Counter& compared_;
  Counter& mismatched_;
  Counter& dropped_;
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace hotswap::node
