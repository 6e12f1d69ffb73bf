// What `hotswap deploy` asks of the API.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/output.h"

namespace hotswap::cli {

struct DeployOptions {
  std::string reference{};
  std::vector<std::string> regions{};
  std::vector<std::string> nodes{};
  std::string strategy{};
  std::string config_json{};
  std::string host{};
  std::string path{};
  bool no_health_check = false;
  bool no_auto_rollback = false;
  bool no_execute = false;
  bool watch = false;
};

// The document to post. What was not given is left out, so that the server's default holds.
[[nodiscard]] Outcome<json::value> deployment_body(const DeployOptions& options,
                                                   const std::optional<std::string>& default_region);

// Starts it; where that is refused, the failure names the ways on.
[[nodiscard]] Outcome<Document> execute_deployment(Api& api, const std::string& id);

}  // namespace hotswap::cli
