// A module's bytes, as an upload hands them to the validator. What it accepts is described in valid JSON.
#include "base/json.h"
#include "base/limits.h"
#include "fuzz/pieces.h"
#include "sandbox/wasm/engine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hotswap;
  static const auto engine = wasm::Engine::create({.pool_instances = 1, .pool_memory_bytes = limits::kMiB});
  fuzz::require(engine.has_value(), "there is an engine");
  if (const auto description = (*engine)->describe(fuzz::text_of(data, size))) {
    fuzz::require(parse_json(*description).has_value(), "a description is valid JSON");
  }
  return 0;
}
