// Who may approve what is to reach production: one rule for deployments and interfaces.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/principal.h"

namespace hotswap {

// An Admin, and not whoever made it unless the server has one user only. kForbidden, saying who may; `noun` is what is
// approved: "a deployment".
[[nodiscard]] Result<> may_approve(const Principal& principal, std::string_view noun, std::string_view made_by,
                                   bool single_user);

}  // namespace hotswap
