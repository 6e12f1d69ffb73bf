// Who calls. Every handler receives one; every row belongs to a tenant.
#pragma once

#include <string>

#include "base/json.h"

namespace hotswap {

enum class Role { Viewer, Operator, Developer, Admin };
BOOST_DESCRIBE_ENUM(Role, Viewer, Operator, Developer, Admin)

struct Principal {
  std::string user;
  TenantId tenant;
  Role role = Role::Viewer;
};

// The one user of a server without identity: an Admin of the tenant "default".
[[nodiscard]] Principal default_principal();

}  // namespace hotswap
