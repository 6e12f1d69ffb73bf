#include "base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <stdexcept>

namespace hotswap {
namespace {

std::string to_hex(std::span<const unsigned char> bytes) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 15];
  }
  return hex;
}

}  // namespace

struct Sha256::Context {
  Context() : handle(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    if (!handle || EVP_DigestInit_ex(handle.get(), EVP_sha256(), nullptr) != 1) {
      throw std::runtime_error("SHA-256 is not available in this OpenSSL");
    }
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> handle;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(context_->handle.get(), bytes.data(), bytes.size());
}

Digest Sha256::finish() {
  std::array<unsigned char, 32> raw{};
  EVP_DigestFinal_ex(context_->handle.get(), raw.data(), nullptr);
  return Digest(to_hex(raw));
}

Digest Sha256::of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Result<Digest> Digest::parse(std::string_view hex) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (hex.size() != 64 || !std::ranges::all_of(hex, is_hex)) {
    return fail(ErrorKind::kInvalid, "expected a SHA-256 digest (64 lower-case hex characters)");
  }
  return Digest(std::string(hex));
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, 32> raw{};
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, text.size(), raw.data(), nullptr) ==
      nullptr) {
    throw std::runtime_error("HMAC-SHA256 is not available in this OpenSSL");
  }
  return to_hex(raw);
}

}  // namespace hotswap
