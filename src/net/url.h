// URLs that people state in settings.
#pragma once

#include <string_view>

#include "base/result.h"

namespace hotswap::net {

// kInvalid where it is no URL, is neither HTTP nor HTTPS, or has a user or a fragment.
[[nodiscard]] Result<> check_url(std::string_view text);

}  // namespace hotswap::net
