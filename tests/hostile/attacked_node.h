// A server that guests attack, as a process of its own.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <vector>

#include "e2e/child.h"

namespace hotswap::e2e {

// One thread, except where a function says otherwise.
class AttackedNode {
 public:
  // `more`: arguments of `hotswap up`. `before`: see Child.
  explicit AttackedNode(const std::vector<std::string>& more = {}, const std::vector<std::string>& before = {});

  // Registers and deploys a sample with these limits, options of `module push`.
  void release(const std::string& sample_name, const std::string& name, const std::vector<std::string>& limits);

  // What a function returned: its JSON, or {"failed": KIND} where the guest failed. Any thread.
  [[nodiscard]] boost::json::value invoke(const std::string& module, const std::string& function,
                                          const boost::json::array& params) const;
  // wasm.refusals.total of that kind.
  [[nodiscard]] std::uint64_t refusals(const std::string& kind) const;
  [[nodiscard]] std::uint64_t metric(const std::string& line_start) const;
  // The next audit entry of a refusal of that kind that the server writes, of those that were not taken; fails after a
  // minute.
  boost::json::object audit(const std::string& kind);

  // host:port of the gateway.
  [[nodiscard]] std::string authority() const;
  // Where the module's directories are.
  [[nodiscard]] std::string files(const std::string& module) const;

 private:
  Folder data_;
  Child child_;
  std::string api_;
  std::string gateway_;
};

}  // namespace hotswap::e2e
