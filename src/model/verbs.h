// What the verbs of a deployment may be told. Each is idempotent: repeated, it finds its work done.
#pragma once

#include <optional>
#include <vector>

#include "base/json.h"

namespace hotswap {

struct PromoteRequest {
  // The step whose hold is to end, as the caller saw it; a promotion that comes twice then ends one hold only. Absent:
  // the current one.
  std::optional<int> step;
};
BOOST_DESCRIBE_STRUCT(PromoteRequest, (), (step))

struct AbortRequest {
  std::optional<bool> gradual;  // default: as the strategy says
};
BOOST_DESCRIBE_STRUCT(AbortRequest, (), (gradual))

struct RollbackRequest {
  std::optional<ModuleId> toModuleId;  // an earlier version that is still kept; absent: the routes before
  // Only these of the deployment's regions return, and the others keep the new version. Not with toModuleId.
  std::optional<std::vector<Region>> regions;
};
BOOST_DESCRIBE_STRUCT(RollbackRequest, (), (toModuleId, regions))

}  // namespace hotswap
