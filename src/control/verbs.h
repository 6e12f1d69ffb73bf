// What people ask of a deployment that exists, as pure transitions. Each is idempotent: where its work is done already
// there is no transition, and where it cannot be done the error says what can.
#pragma once

#include <optional>

#include "control/transition.h"
#include "model/verbs.h"

namespace hotswap::control {

using Asked = Result<std::optional<Transition>>;

[[nodiscard]] Asked pause(const TenantDeployment& from, const Cause& cause);
[[nodiscard]] Asked resume(const TenantDeployment& from, const Cause& cause);
[[nodiscard]] Asked promote(const TenantDeployment& from, const PromoteRequest& request, const Cause& cause);
[[nodiscard]] Asked promote_fully(const TenantDeployment& from, const Cause& cause);
[[nodiscard]] Asked abort(const TenantDeployment& from, const AbortRequest& request, const Cause& cause);
// Only what is not executed yet.
[[nodiscard]] Asked cancel(const TenantDeployment& from, const Cause& cause);
// Of a deployment that has not ended: the step of a paused one begins anew.
[[nodiscard]] Asked retry(const TenantDeployment& from, const Cause& cause);

}  // namespace hotswap::control
