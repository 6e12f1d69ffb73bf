#include "cli/node_processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "base/json.h"

namespace hotswap::cli {
namespace {

constexpr int kReadyTimeoutMs = 120'000;
constexpr int kCannotRun = 127;
constexpr const char* kThisProgram = "/proc/self/exe";

std::unexpected<Error> cannot(std::string_view doing) {
  return fail(ErrorKind::kUnavailable,
              fmt::format("cannot {} a node process: {}", doing, std::generic_category().message(errno)));
}

struct Started {
  pid_t id = -1;
  int out = -1;
};

Result<Started> spawn(std::vector<std::string> arguments, const std::string& join_token) {
  std::array<int, 2> out{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) return cannot("start");
  // The token goes by the environment: arguments can be read by every user of the machine.
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("HOTSWAP_JOIN_TOKEN=")) environment.emplace_back(*entry);
  }
  environment.push_back("HOTSWAP_JOIN_TOKEN=" + join_token);
  std::vector<char*> argv;
  std::vector<char*> envp;
  for (auto& word : arguments) argv.push_back(word.data());
  for (auto& word : environment) envp.push_back(word.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t id = ::fork();
  if (id == 0) {
    // Only what is safe in the child of a process with threads.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(kCannotRun);
    // Ctrl-C reaches the whole terminal: the children end when they are told to.
    ::setpgid(0, 0);
    ::dup2(out[1], STDOUT_FILENO);
    ::execve(kThisProgram, argv.data(), envp.data());
    ::_exit(kCannotRun);
  }
  ::close(out[1]);
  if (id < 0) {
    ::close(out[0]);
    return cannot("start");
  }
  return Started{id, out[0]};
}

Result<std::string> first_line(int stream) {
  std::string line;
  for (char c = 0;;) {
    pollfd readable{stream, POLLIN, 0};
    if (::poll(&readable, 1, kReadyTimeoutMs) == 0) {
      return fail(ErrorKind::kDeadline, fmt::format("a node process is not ready within {} ms", kReadyTimeoutMs));
    }
    const ssize_t got = ::read(stream, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot("read from");
    if (got == 0) return fail(ErrorKind::kUnavailable, "a node process ended before it was ready; it said why above");
    if (c == '\n') return line;
    line += c;
  }
}

}  // namespace

Result<> NodeProcesses::start(const std::vector<Wish>& wishes, const std::string& control,
                              const std::string& join_token, const std::vector<std::string>& more) {
  std::vector<int> streams;
  const std::shared_ptr<void> closing(nullptr, [&streams](void*) {
    for (const int stream : streams) ::close(stream);
  });
  for (const auto& wish : wishes) {
    std::vector<std::string> arguments{
        "hotswap", "node",    "--control", control,      "--node-id", wish.node,          "--region", wish.region,
        "--zone",  wish.zone, "--gateway", wish.gateway, "--data",    wish.data.string(), "--output", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    HS_TRY(const Started started, spawn(std::move(arguments), join_token));
    streams.push_back(started.out);
    running_.push_back({wish.node, wish.region, "", started.id});
  }
  for (std::size_t i = 0; i < streams.size(); ++i) {
    HS_TRY(const std::string line, first_line(streams[i]));
    HS_TRY(const json::value ready, parse_json(line));
    running_[i].gateway = ready.at("gateway").as_string();
  }
  return {};
}

void NodeProcesses::stop() {
  for (const auto& process : running_) ::kill(process.id, SIGTERM);
  for (const auto& process : std::exchange(running_, {})) {
    while (::waitpid(process.id, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

}  // namespace hotswap::cli
