#include "sandbox/wasm/test_guests.h"

#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <stdexcept>

#include "base/limits.h"

namespace hotswap::wasm {

const Engine& test_engine() {
  static const auto engine = [] {
    auto made = Engine::create(
        {.pool_instances = 32, .pool_memory_bytes = 128 * limits::kMiB, .tick = limits::kEpochTick, .wasi03 = true});
    if (!made) throw std::runtime_error(made.error().detail);
    return std::move(*made);
  }();
  return *engine;
}

std::string test_binary(const std::string& name) {
  std::ifstream in(std::string(HOTSWAP_SOURCE_DIR "/samples/out/") + name + ".wasm", std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (bytes.empty()) throw std::runtime_error("samples/out/" + name + ".wasm is missing: run ./dev samples");
  return bytes;
}

const Code& test_code(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, Code> compiled;
  const std::lock_guard lock(mutex);
  auto found = compiled.find(name);
  if (found == compiled.end()) {
    auto code = test_engine().compile(test_binary(name));
    if (!code) throw std::runtime_error(name + ": " + code.error().detail);
    found = compiled.emplace(name, std::move(*code)).first;
  }
  return found->second;
}

}  // namespace hotswap::wasm
