// For parsers that take their input in pieces: however it is cut, the outcome is the same.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace hotswap::fuzz {

// Ends the run with the input kept, as libFuzzer does for every crash.
inline void require(bool holds, std::string_view what) {
  if (holds) return;
  fmt::print(stderr, "does not hold: {}\n", what);
  std::abort();
}

// Cuts `text` into pieces of 1 to 16 bytes, by numbers that come from the input itself.
class Pieces {
 public:
  Pieces(std::string_view text, std::uint8_t seed) : rest_(text), state_(seed | 1U) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::string_view next() {
    state_ = state_ * 1664525U + 1013904223U;
    const auto piece = rest_.substr(0, 1 + (state_ >> 24) % 16);
    rest_.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::string_view rest_;
  std::uint32_t state_;
};

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace hotswap::fuzz
