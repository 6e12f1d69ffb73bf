// How a node reaches the control plane. In one process it is a direct call; between machines it is HTTP.
#pragma once

#include <functional>
#include <span>

#include "base/digest.h"
#include "base/result.h"
#include "base/task.h"
#include "model/desired_state.h"

namespace hotswap::node {

struct InvocationCount {
  TenantId tenant;
  ModuleId moduleId;
  std::int64_t count = 0;
};

class ControlLink {
 public:
  virtual ~ControlLink() = default;
  // Waits until there is a desired state newer than `after` (at most limits::kLongPoll), then returns the newest one;
  // the same revision as `after` means that nothing changed. 0: the node has seen nothing since it started.
  virtual Task<Result<DesiredState>> desired_state(std::int64_t after) = 0;
  virtual Task<Result<>> report(NodeReport report) = 0;
  // The binary, in pieces; verified against its digest by the link.
  virtual Task<Result<>> fetch(const Digest& digest, std::function<Result<>(std::span<const std::byte>)> sink) = 0;
  virtual Task<Result<>> count_invocations(std::vector<InvocationCount> counts) = 0;
};

}  // namespace hotswap::node
