#include "fleet/network.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <system_error>
#include <vector>

namespace hotswap::e2e {
namespace {

// The numbers of /24: one for each machine, and the test's own.
constexpr const char* kPrefix = "10.203.0.";

bool try_ip(std::vector<std::string> words) {
  words.insert(words.begin(), "ip");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t id = -1;
  if (const int failed = ::posix_spawnp(&id, "ip", nullptr, nullptr, argv.data(), environ); failed != 0) {
    throw std::system_error(failed, std::generic_category(), "ip (of iproute2)");
  }
  int status = 0;
  ::waitpid(id, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void ip(const std::vector<std::string>& words) {
  if (try_ip(words)) return;
  std::string line = "ip";
  for (const auto& word : words) line += " " + word;
  throw std::runtime_error("failed, and says why on standard error: " + line);
}

}  // namespace

Network::Network() : name_("hs" + std::to_string(::getpid())) {
  outside_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (outside_ < 0 || ::unshare(CLONE_NEWNET) != 0) {
    throw std::system_error(errno, std::generic_category(), "a network namespace of the test's own");
  }
  try {
    ip({"link", "set", "lo", "up"});
    ip({"link", "add", "switch", "type", "bridge"});
    ip({"address", "add", std::string(kPrefix) + "1/24", "dev", "switch"});
    ip({"link", "set", "switch", "up"});
  } catch (...) {
    leave();
    throw;
  }
}

Network::~Network() {
  for (const auto& [machine, port] : ports_) try_ip({"netns", "delete", name_ + machine});
  leave();
}

void Network::leave() const {
  ::setns(outside_, CLONE_NEWNET);
  ::close(outside_);
}

std::string Network::why_not() {
  if (::geteuid() != 0) return "network namespaces need root";
  try {
    Network probe;
    probe.add("probe");
    return "";
  } catch (const std::exception& error) {
    return std::string("this machine allows no network namespaces: ") + error.what();
  }
}

Place Network::add(const std::string& machine) {
  const std::string space = name_ + machine;
  const std::string port = "to-" + machine;
  const std::string address = kPrefix + std::to_string(ports_.size() + 2);
  ip({"netns", "add", space});
  ports_[machine] = port;
  ip({"link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space});
  ip({"link", "set", port, "master", "switch", "up"});
  ip({"-n", space, "address", "add", address + "/24", "dev", "eth0"});
  ip({"-n", space, "link", "set", "eth0", "up"});
  ip({"-n", space, "link", "set", "lo", "up"});
  return {.host = address, .space = space};
}

void Network::cut_off(const std::string& machine, bool is) const {
  ip({"link", "set", "dev", ports_.at(machine), "type", "bridge_slave", "isolated", is ? "on" : "off"});
}

}  // namespace hotswap::e2e
