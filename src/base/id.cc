#include "base/id.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <bit>
#include <stdexcept>

namespace hotswap {

std::uint64_t SystemRandom::next() {
  std::array<unsigned char, sizeof(std::uint64_t)> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw std::runtime_error("the operating system gave no randomness");
  }
  return std::bit_cast<std::uint64_t>(bytes);
}

std::string new_uuid(Random& random) {
  const std::uint64_t high = (random.next() & ~0xF000ULL) | 0x4000ULL;
  const std::uint64_t low = (random.next() & ~(0xC0ULL << 56)) | (0x80ULL << 56);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF, high & 0xFFFF, low >> 48,
                     low & 0xFFFFFFFFFFFFULL);
}

}  // namespace hotswap
