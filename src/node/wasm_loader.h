// The agent's Loader over the WebAssembly sandbox.
#pragma once

#include <filesystem>

#include "node/agent.h"
#include "sandbox/wasm/code_cache.h"
#include "sandbox/wasm/wasm_workload.h"

namespace hotswap::node {

// Thread-safe.
class WasmLoader final : public Loader {
 public:
  // `files` holds the private folders of modules: <files>/<tenant>/<module name>/<allowed directory>.
  // `aside`: see WasmWorkload.
  WasmLoader(const wasm::Engine& engine, wasm::CodeCache cache, std::filesystem::path files, wasm::SandboxPolicy policy,
             wasm::Aside& aside)
      : engine_(engine), cache_(std::move(cache)), files_(std::move(files)), policy_(policy), aside_(aside) {}

  [[nodiscard]] bool cached(const Digest& digest) const override { return cache_.contains(digest); }
  [[nodiscard]] Result<std::shared_ptr<Workload>> load(const DesiredVersion& version, std::string binary) override;

 private:
  const wasm::Engine& engine_;
  wasm::CodeCache cache_;
  std::filesystem::path files_;
  wasm::SandboxPolicy policy_;
  wasm::Aside& aside_;
};

}  // namespace hotswap::node
