// A control plane and nine nodes, three in each of three regions, all ready; rollouts of the module "add" on them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fleet/processes.h"

namespace hotswap::e2e {

// How a version is brought.
struct Strategy {
  const char* name;
  const char* config;  // JSON
};

class NineNodes : public testing::Test {
 protected:
  NineNodes();
  // Begins to bring a new version to every region; the deployment.
  std::string begin(const Strategy& how);
  // The version that begin() brought last.
  [[nodiscard]] std::string newest() const { return "add-v" + std::to_string(version_) + ".0.0"; }
  [[nodiscard]] json::value deployment(const std::string& id) const;
  // Whether the step of that number has begun. Lets on what waits for a person.
  [[nodiscard]] bool reached(const std::string& id, int step) const;
  // Whether nothing more happens by itself. Lets on what waits for a person.
  [[nodiscard]] bool ended(const std::string& id) const;
  [[nodiscard]] std::string status(const std::string& id) const;
  // Every node, or one, answers with the version.
  [[nodiscard]] bool everywhere(const std::string& module_id) const;
  // What each node answers, and what the control plane knows of it: for messages.
  [[nodiscard]] std::string answers_of_all() const;
  [[nodiscard]] static bool answers(const NodeProcess& node, const std::string& module_id);

  Folder folder_;
  ControlProcess control_;
  const std::string token_ = control_.join_token();
  std::vector<std::unique_ptr<NodeProcess>> nodes_;

 private:
  void let_on(const std::string& id, const json::value& shown) const;
  int version_ = 1;
};

}  // namespace hotswap::e2e
