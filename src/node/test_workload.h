// A workload for tests of routing and of the agent: answers with its own name.
#pragma once

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
    co_return CallOutcome{.failure = {},
                          .value = '"' + answer_ + '"',
                          .message = {},
                          .backtrace = {},
                          .stdout_text = {},
                          .stderr_text = {},
                          .usage = {}};
  }
  Task<Result<CallOutcome>> serve(net::Exchange&, HttpCall) override { co_return CallOutcome{}; }
  [[nodiscard]] bool serves_http() const noexcept override { return http_; }

  int health_checks = 0;

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
