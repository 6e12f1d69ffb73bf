// A workload for tests of routing and of the agent: answers with its own name.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "model/desired_state.h"
#include "sandbox/workload.h"

namespace hotswap::node {

class TestWorkload final : public Workload {
 public:
  explicit TestWorkload(std::string answer, bool http = true) : answer_(std::move(answer)), http_(http) {}
  Task<Result<CallOutcome>> invoke(FunctionCall call, net::Exchange*) override {
    if (call.function != "health_check" && call.function != "health-check") {
      co_return fail(ErrorKind::kNotFound, "no such function");
    }
    ++health_checks;
    if (answer_.empty()) co_return fail(ErrorKind::kNotFound, "no health check");
    if (ill) co_return fail(ErrorKind::kUpstream, "it is ill");
    co_return CallOutcome{.failure = {},
                          .value = '"' + answer_ + '"',
                          .message = {},
                          .backtrace = {},
                          .stdout_text = {},
                          .stderr_text = {},
                          .usage = {}};
  }
  Task<Result<CallOutcome>> serve(net::Exchange& exchange, HttpCall) override {
    ++health_checks;
    asked = exchange.target();
    std::ignore = co_await exchange.reply(status, "text/plain", "up");
    co_return CallOutcome{};
  }
  [[nodiscard]] bool serves_http() const noexcept override { return http_; }

  // Of the agent's thread; a test reads them after the report of what it waits for.
  int health_checks = 0;
  std::string asked;
  // Set by tests, at any time.
  std::atomic<bool> ill{false};
  std::atomic<unsigned> status{200};

 private:
  std::string answer_;
  bool http_;
};

inline DesiredVersion desired_version(const std::string& name, int major) {
  DesiredVersion version;
  version.tenant = TenantId("default");
  version.name = name;
  version.moduleId = module_id(name, {major, 0, 0});
  version.digest = Sha256::of(version.moduleId.str());
  return version;
}

inline Route route_to(const std::string& name, std::vector<WeightedVersion> versions) {
  return {TenantId("default"), name, Region("local"), std::move(versions), default_binding(name)};
}

}  // namespace hotswap::node
