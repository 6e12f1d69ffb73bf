// What `hotswap deploy` asks of the API.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/strategy_options.h"

namespace hotswap::cli {

struct DeployOptions {
  std::string reference{};
  std::vector<std::string> regions{};
  std::vector<std::string> nodes{};
  StrategyOptions how{};
  std::string on_conflict{};
  std::string host{};
  std::string path{};
  bool no_health_check = false;
  std::string health_path{};
  int health_status = 0;  // 0 = the server's default
  bool no_auto_rollback = false;
  bool no_execute = false;
  bool watch = false;
};

// The document to post. What was not given is left out, so that the server's default holds.
[[nodiscard]] Outcome<json::value> deployment_body(const DeployOptions& options,
                                                   const std::optional<std::string>& default_region);

// What is done with a deployment beside creating it.
struct SendOptions {
  bool no_execute = false;
  bool watch = false;
};
// Creates it, executes it, follows it to its end.
[[nodiscard]] Outcome<int> send_deployment(Context& context, const json::value& body, SendOptions options);

// Starts it; where that is refused, the failure names the ways on.
[[nodiscard]] Outcome<Document> execute_deployment(Api& api, const std::string& id);

}  // namespace hotswap::cli
