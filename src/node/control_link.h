// How a node reaches the control plane. In one process it is a direct call; between machines it is HTTP.
#pragma once

#include <functional>
#include <span>

#include "base/digest.h"
#include "base/result.h"
#include "base/task.h"
#include "model/desired_state.h"
#include "model/node_report.h"

namespace hotswap::node {

class ControlLink {
 public:
  virtual ~ControlLink() = default;
  // Once in each life of the process, before anything else; joins where that is needed.
  virtual Task<Result<>> introduce(NodeDescription node) = 0;
  // Waits until there is a desired state newer than `after` (at most limits::kLongPoll), then returns the newest one;
  // the same revision as `after` means that nothing changed. 0: the node has seen nothing since it started.
  virtual Task<Result<DesiredState>> desired_state(std::int64_t after) = 0;
  virtual Task<Result<ReportReply>> report(NodeReport report) = 0;
  // The binary, in pieces; verified against its digest by the link. kUnavailable and kDeadline are worth another try,
  // which goes on where this one broke off.
  virtual Task<Result<>> fetch(Digest digest, std::function<Result<>(std::span<const std::byte>)> sink) = 0;
  virtual Task<Result<>> count_invocations(std::vector<InvocationCount> counts) = 0;
};

}  // namespace hotswap::node
