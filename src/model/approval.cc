#include "model/approval.h"

#include <fmt/format.h>

namespace hotswap {

Result<> may_approve(const Principal& principal, std::string_view noun, std::string_view made_by, bool single_user) {
  if (principal.role != Role::Admin) {
    return fail(ErrorKind::kForbidden, fmt::format("{} is approved by an Admin; {} has the role {}", noun,
                                                   principal.user, enum_name(principal.role)));
  }
  if (!single_user && principal.user == made_by) {
    return fail(ErrorKind::kForbidden, fmt::format("whoever created {} may not approve it: ask another Admin", noun));
  }
  return {};
}

}  // namespace hotswap
