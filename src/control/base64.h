// Base64 (RFC 4648, section 4) decoded piece by piece.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hotswap::control {

// Padding may be left out. kInvalid names the position of what is no base64. Belongs to one coroutine.
class Base64Decoder {
 public:
  // Appends what `text` completes.
  [[nodiscard]] Result<> decode(std::string_view text, std::string& out);
  // At the end: appends what is left.
  [[nodiscard]] Result<> finish(std::string& out);

 private:
  std::uint32_t group_ = 0;
  int characters_ = 0;  // of the group
  int padding_ = 0;
  std::uint64_t position_ = 0;
};

}  // namespace hotswap::control
