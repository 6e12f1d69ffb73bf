#include "control/base64.h"

#include <fmt/format.h>

#include <array>

namespace hotswap::control {
namespace {

constexpr std::uint8_t kNone = 0xff;

constexpr std::array<std::uint8_t, 256> values() {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNone);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}

constexpr auto kValues = values();

}  // namespace

Result<> Base64Decoder::decode(std::string_view text, std::string& out) {
  for (const char c : text) {
    const std::uint8_t value = kValues[static_cast<unsigned char>(c)];
    if (c == '=' && characters_ + padding_ >= 2 && characters_ + padding_ < 4) {
      ++padding_;
    } else if (value == kNone || padding_ > 0) {
      return fail(ErrorKind::kInvalid, fmt::format("is not base64: unexpected character at position {}", position_));
    } else {
      group_ = group_ << 6 | value;
      if (++characters_ == 4) {
        out.push_back(static_cast<char>(group_ >> 16));
        out.push_back(static_cast<char>(group_ >> 8));
        out.push_back(static_cast<char>(group_));
        group_ = 0;
        characters_ = 0;
      }
    }
    ++position_;
  }
  return {};
}

Result<> Base64Decoder::finish(std::string& out) {
  const bool complete = padding_ == 0 || characters_ + padding_ == 4;
  if (characters_ == 1 || !complete) {
    return fail(ErrorKind::kInvalid, fmt::format("is not base64: it ends early, at position {}", position_));
  }
  if (characters_ >= 2) out.push_back(static_cast<char>(group_ >> (characters_ == 2 ? 4 : 10)));
  if (characters_ == 3) out.push_back(static_cast<char>(group_ >> 2));
  return {};
}

}  // namespace hotswap::control
