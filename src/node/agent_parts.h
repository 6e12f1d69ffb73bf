// What the agent's files share and nobody else needs.
#pragma once

#include <memory>
#include <string>

#include "node/agent.h"

namespace hotswap::node {

// A desired version and how far this node has come with it.
struct Agent::Held {
  DesiredVersion desired;
  VersionState state = VersionState::Fetching;
  std::string reason;
  std::shared_ptr<ReadyVersion> ready;
  bool wanted = true;
  // Which run of the health check is asked for, and which was the last (DesiredVersion::checkNumber).
  std::optional<HealthCheck> check;
  std::int64_t check_asked = 0;
  std::int64_t check_run = 0;
  std::string check_failure;
  bool checking = false;
};

}  // namespace hotswap::node
