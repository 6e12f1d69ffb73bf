// A WebAssembly version, ready to run: the Workload of modules.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "model/resource_limits.h"
#include "sandbox/wasm/call.h"
#include "sandbox/wasm/engine.h"
#include "sandbox/wasm/grants.h"
#include "sandbox/workload.h"

namespace hotswap::wasm {

// What the sandbox does with a module beyond ResourceLimits.
struct SandboxPolicy {
  std::uint64_t max_output_bytes;
  std::chrono::milliseconds cpu_window;
};

// The grant that ResourceLimits describe. `files` is this module's private folder on the node; the folder of each
// allowed directory is created below it.
[[nodiscard]] Result<Grant> grant_of(const ResourceLimits& limits, const std::filesystem::path& files,
                                     const SandboxPolicy& policy);
[[nodiscard]] CallBudget budget_of(const ResourceLimits& limits, const SandboxPolicy& policy);

class WasmWorkload final : public Workload {
 public:
  // `aside`: where guests run that would hold up an I/O thread.
  WasmWorkload(Image image, Grant grant, CallBudget budget, int max_concurrent, bool serves_http, Aside& aside);

  Task<Result<CallOutcome>> invoke(FunctionCall call, net::Exchange* watch) override;
  Task<Result<CallOutcome>> serve(net::Exchange& exchange, HttpCall http_call) override;
  [[nodiscard]] bool serves_http() const noexcept override { return serves_http_; }

  // Runs _start or wasi:cli/run with the grant's arguments and streams.
  Task<Result<CallOutcome>> run_command();

 private:
  class Permit;
  [[nodiscard]] Result<Permit> take_permit();
  Task<Result<CallOutcome>> finish(Call& call, net::Exchange* watch);
  [[nodiscard]] Result<eng_call*> start(std::uint32_t function, const FunctionCall& call) const;

  Image image_;
  Grants grants_;
  CallBudget budget_;
  int max_concurrent_;
  bool serves_http_;
  Aside& aside_;
  StallMeter stalls_;
  std::atomic<int> running_{0};
};

}  // namespace hotswap::wasm
