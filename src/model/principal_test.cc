#include "model/principal.h"

#include <gtest/gtest.h>

namespace hotswap {
namespace {

TEST(DefaultPrincipal, IsTheAdminOfTheDefaultTenant) {
  EXPECT_EQ(default_principal().user, "admin");
  EXPECT_EQ(default_principal().tenant.str(), "default");
  EXPECT_EQ(default_principal().role, Role::Admin);
}

}  // namespace
}  // namespace hotswap
