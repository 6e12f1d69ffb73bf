// Machine code on disk, by digest, engine version and CPU features. Only code that this machine compiled is loaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/digest.h"
#include "base/limits.h"
#include "base/result.h"
#include "sandbox/wasm/engine.h"

namespace hotswap::wasm {

// Thread-safe. Every method may block for as long as a compilation takes.
class CodeCache {
 public:
  // Creates the folder for this engine's fingerprint below `folder` and removes those of other fingerprints.
  [[nodiscard]] static Result<CodeCache> open(const Engine& engine, const std::filesystem::path& folder,
                                              std::uint64_t max_bytes = limits::kCodeCacheBytes);

  // From the cache (well below a millisecond), or compiled from `binary()` and kept. A cache file that the engine
  // refuses is compiled anew. Where the folder then exceeds its bound, the least recently used files go.
  [[nodiscard]] Result<Code> get(const Digest& digest, const std::function<Result<std::string>()>& binary) const;
  [[nodiscard]] bool contains(const Digest& digest) const;
  void remove(const Digest& digest) const noexcept;

 private:
  CodeCache(const Engine& engine, std::filesystem::path folder, std::uint64_t max_bytes)
      : engine_(&engine), folder_(std::move(folder)), max_bytes_(max_bytes) {}
  [[nodiscard]] std::filesystem::path file(const Digest& digest) const;
  void trim(const std::filesystem::path& newest) const;

  const Engine* engine_;
  std::filesystem::path folder_;
  std::uint64_t max_bytes_;
};

}  // namespace hotswap::wasm
