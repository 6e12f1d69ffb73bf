// Control planes and nodes as child processes.
#pragma once

#include <boost/json.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "e2e/child.h"

namespace hotswap::e2e {

namespace json = boost::json;

// Waits for what each look may change. False after a minute.
[[nodiscard]] bool eventually(const std::function<bool()>& condition);

// The reply's body as JSON; null where nobody answers, and the problem document where there is one.
[[nodiscard]] json::value ask(const std::string& origin, const std::string& method, const std::string& target,
                              const std::string& body = {});

// Where a process runs.
struct Place {
  std::string host = "127.0.0.1";
  std::string space{};  // network namespace; empty = this process's
};

// `hotswap control` with quick reports and short patience.
class ControlProcess {
 public:
  explicit ControlProcess(std::string data, std::vector<std::string> more = {}, Place place = {});
  // At the same address and with the same data.
  void start();
  void kill();
  [[nodiscard]] const std::string& api() const noexcept { return api_; }
  [[nodiscard]] Child& child() { return *child_; }
  // A command line against it that must succeed; its standard output.
  std::string hotswap(std::vector<std::string> arguments) const;
  [[nodiscard]] std::string join_token(const std::vector<std::string>& more = {}) const;
  // push and deploy --watch of a sample, to every region.
  void release(const std::string& sample_name, const std::string& name, const std::string& version) const;
  [[nodiscard]] json::value node(const std::string& id) const;
  [[nodiscard]] std::string condition(const std::string& id) const;

 private:
  std::string data_;
  std::vector<std::string> more_;
  Place place_;
  std::string address_;
  std::string api_;
  std::unique_ptr<Child> child_;
};

class NodeProcess {
 public:
  struct Wish {
    std::string control;
    std::string node;
    std::string token{};
    std::string region = "us-east";
    std::string zone{};
    Place place{};
  };
  NodeProcess(std::string data, Wish wish);
  void start();
  void kill();
  [[nodiscard]] const std::string& gateway() const noexcept { return gateway_; }
  [[nodiscard]] const std::string& id() const noexcept { return wish_.node; }
  [[nodiscard]] Child& child() { return *child_; }
  void forget_token() { wish_.token.clear(); }
  // add(a, b) of the module "add", which must be deployed.
  [[nodiscard]] json::value add(int a, int b) const;

 private:
  std::string data_;
  Wish wish_;
  std::string gateway_;
  std::unique_ptr<Child> child_;
};

}  // namespace hotswap::e2e
