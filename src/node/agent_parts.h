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
};

}  // namespace hotswap::node
