// What every call over the C boundary needs.
#pragma once

#include <engine.h>

#include <string>

namespace hotswap::wasm {

// Takes the bytes over and gives the buffer back.
[[nodiscard]] inline std::string take(eng_buffer buffer) {
  std::string text(reinterpret_cast<const char*>(buffer.data), buffer.size);
  eng_buffer_free(buffer);
  return text;
}

}  // namespace hotswap::wasm
