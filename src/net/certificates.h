// Files of certificates that people state in settings.
#pragma once

#include <string>

#include "base/result.h"

namespace hotswap::net {

// kInvalid where the file cannot be read, or is not PEM with certificates and nothing broken in it: what a client that
// trusts it would only find out at its first request.
[[nodiscard]] Result<> check_certificates(const std::string& file);

}  // namespace hotswap::net
