#include "node/wasm_loader.h"

namespace hotswap::node {

Result<std::shared_ptr<Workload>> WasmLoader::load(const DesiredVersion& version, std::string binary) {
  HS_TRY(const wasm::Code code, cache_.get(version.digest, [&]() -> Result<std::string> {
    if (binary.empty()) return fail(ErrorKind::kNotFound, "the cached machine code is unusable");
    return std::move(binary);
  }));
  HS_TRY(wasm::Image image, engine_.link(code, ENG_LINK_WASI | ENG_LINK_SOCKETS | ENG_LINK_HTTP));
  const auto files = files_ / version.tenant.str() / version.name;
  HS_TRY(wasm::Grant grant, wasm::grant_of(version.limits, files, policy_));
  return std::make_shared<wasm::WasmWorkload>(std::move(image), std::move(grant),
                                              wasm::budget_of(version.limits, policy_),
                                              version.limits.maxConcurrentInvocations, version.httpHandler, aside_);
}

}  // namespace hotswap::node
