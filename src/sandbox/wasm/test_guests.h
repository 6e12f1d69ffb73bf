// Guests for tests: what samples/ builds, compiled once a process.
#pragma once

#include <string>

#include "sandbox/wasm/engine.h"

namespace hotswap::wasm {

// Sanitized builds have less address space for the pool, so tests use a small one.
[[nodiscard]] const Engine& test_engine();
// The bytes of samples/out/<name>.wasm; throws, saying how to build it, where it is missing.
[[nodiscard]] std::string test_binary(const std::string& name);
[[nodiscard]] const Code& test_code(const std::string& name);

}  // namespace hotswap::wasm
