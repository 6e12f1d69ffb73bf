// Owning types over the C boundary of the engine bridge (engine/include/engine.h). No raw handle leaves this file's
// classes; every other part of the product sees Result and std types.
#pragma once

#include <engine.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hotswap::wasm {

struct EngineOptions {
  std::uint32_t pool_instances;
  std::uint64_t pool_memory_bytes;
  std::chrono::microseconds tick;
  bool wasi03 = false;
  bool unbounded = false;     // only to measure what bounding and metering calls costs
  std::string outbound_ca{};  // PEM: authorities that guests' outbound TLS trusts besides the public ones
};

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};

[[nodiscard]] inline eng_slice slice(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view view(eng_slice slice) noexcept {
  return {reinterpret_cast<const char*>(slice.data), slice.size};
}

// The error of the bridge in the product's terms.
[[nodiscard]] Error to_error(const eng_error& error);

// Machine code of one module. Thread-safe.
class Code {
 public:
  explicit Code(eng_code* handle) : handle_(handle) {}
  [[nodiscard]] Result<std::string> serialize() const;
  [[nodiscard]] const eng_code* get() const noexcept { return handle_.get(); }

 private:
  std::unique_ptr<eng_code, Freer<eng_code_free>> handle_;
};

// Code linked against what it may import, ready to instantiate. Thread-safe.
class Image {
 public:
  explicit Image(eng_image* handle) : handle_(handle) {}
  [[nodiscard]] Result<std::uint32_t> function(std::string_view name) const;
  [[nodiscard]] const eng_image* get() const noexcept { return handle_.get(); }

 private:
  std::unique_ptr<eng_image, Freer<eng_image_free>> handle_;
};

// One per process: compiler, linkers, instance pool, ticker. Outlives every Code, Image and call. Thread-safe.
class Engine {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Engine>> create(const EngineOptions& options);
  [[nodiscard]] static std::string version();

  // What machine code depends on; part of a cache key.
  [[nodiscard]] const std::string& fingerprint() const noexcept { return fingerprint_; }
  // JSON: every import that link() can satisfy.
  [[nodiscard]] std::string offers() const;
  // JSON: see eng_describe. kInvalid for bytes that are no valid module. Blocking for milliseconds.
  [[nodiscard]] Result<std::string> describe(std::string_view binary) const;
  // Blocking for seconds on large modules.
  [[nodiscard]] Result<Code> compile(std::string_view binary) const;
  // Only for a file that serialize() of this machine wrote.
  [[nodiscard]] Result<Code> load(const std::string& path) const;
  [[nodiscard]] Result<Image> link(const Code& code, std::uint32_t flags) const;

 private:
  explicit Engine(eng_engine* handle);
  std::unique_ptr<eng_engine, Freer<eng_engine_free>> handle_;
  std::string fingerprint_;
};

}  // namespace hotswap::wasm
