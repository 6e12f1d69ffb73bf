// A control plane and three nodes of one region, each in a zone of its own, all ready.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fleet/processes.h"

namespace hotswap::e2e {

class ThreeNodes : public testing::Test {
 protected:
  // Further options of `hotswap control`.
  using Settings = std::vector<std::string>;
  explicit ThreeNodes(const Settings& settings = {}) : control_(folder_.path() + "/control", with_region(settings)) {
    for (const char* zone : {"a", "b", "c"}) {
      const std::string id = std::string("east-") + zone;
      nodes_.push_back(std::make_unique<NodeProcess>(
          folder_.path() + "/" + id,
          NodeProcess::Wish{.control = control_.api(), .node = id, .token = token_, .zone = zone}));
    }
    for (const auto& node : nodes_) {
      EXPECT_TRUE(eventually([&] { return control_.condition(node->id()) == "Healthy"; })) << node->id();
    }
  }
  static Settings with_region(Settings settings) {
    settings.insert(settings.end(), {"--regions", "us-east"});
    return settings;
  }

  Folder folder_;
  ControlProcess control_;
  const std::string token_ = control_.join_token();
  std::vector<std::unique_ptr<NodeProcess>> nodes_;
};

}  // namespace hotswap::e2e
