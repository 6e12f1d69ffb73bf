#include "model/principal.h"

namespace hotswap {

Principal default_principal() { return {.user = "admin", .tenant = TenantId("default"), .role = Role::Admin}; }

}  // namespace hotswap
