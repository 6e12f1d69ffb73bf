// URLs that people state in settings.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hotswap::net {

struct Url {
  std::string origin;  // "http://host:port", as a Client takes it
  std::string target;  // path and query; "/" where there is none
};

// kInvalid where it is no URL, is not HTTP (https is not supported), or has a user or a fragment.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

}  // namespace hotswap::net
