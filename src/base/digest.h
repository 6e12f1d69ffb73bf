// SHA-256 content addresses.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hotswap {

// 64 lower-case hex characters. Only made by Sha256 or by parse, so a Digest is always well-formed (or empty).
class Digest {
 public:
  Digest() = default;
  [[nodiscard]] static Result<Digest> parse(std::string_view hex);
  [[nodiscard]] const std::string& hex() const noexcept { return hex_; }
  [[nodiscard]] bool empty() const noexcept { return hex_.empty(); }
  auto operator<=>(const Digest&) const = default;

 private:
  friend class Sha256;
  explicit Digest(std::string hex) : hex_(std::move(hex)) {}
  std::string hex_;
};

// Incremental SHA-256. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes) { update(std::as_bytes(std::span(bytes))); }
  // May be called once.
  [[nodiscard]] Digest finish();

  [[nodiscard]] static Digest of(std::string_view bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// HMAC-SHA256 (RFC 2104) of `text`, as 64 lower-case hex characters.
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace hotswap
