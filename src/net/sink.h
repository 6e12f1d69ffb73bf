// For tests: a server in Python as a child process, and what it says.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace hotswap::net {

// It says its port and then what it is sent, a line each. Its certificate is one for "localhost". Ends with the object.
// One thread.
class Sink {
 public:
  // A program of this folder, and its arguments.
  Sink(const std::string& program, std::vector<std::string> arguments) {
    std::string pattern = (std::filesystem::temp_directory_path() / "hotswap-sink-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    arguments.insert(arguments.begin(),
                     {"python3", std::string(HOTSWAP_SOURCE_DIR) + "/src/net/" + program, "--folder", folder_});
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    const int failed = posix_spawnp(&id_, "python3", &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    in_ = in[1];
    out_ = out[0];
    if (failed != 0) throw std::runtime_error("python3 cannot be started");
    port_ = line().value_or("0");
  }
  ~Sink() {
    ::close(in_);  // it ends with its input
    waitpid(id_, nullptr, 0);
    ::close(out_);
    std::filesystem::remove_all(folder_);
  }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  [[nodiscard]] const std::string& port() const { return port_; }
  [[nodiscard]] std::string certificate() const { return folder_ + "/certificate.pem"; }

  // What it was sent next. Null, and a failed test, where nothing came.
  json::value next() {
    const auto text = line();
    if (text) return json::parse(*text);
    ADD_FAILURE() << "nothing came";
    return nullptr;
  }

 private:
  std::optional<std::string> line() {
    constexpr int kPatienceMs = 60'000;
    for (;;) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        std::string first = text_.substr(0, end);
        text_.erase(0, end + 1);
        return first;
      }
      pollfd wanted{.fd = out_, .events = POLLIN, .revents = 0};
      std::array<char, 4096> buffer{};
      if (::poll(&wanted, 1, kPatienceMs) <= 0) return std::nullopt;
      const auto size = ::read(out_, buffer.data(), buffer.size());
      if (size <= 0) return std::nullopt;
      text_.append(buffer.data(), static_cast<std::size_t>(size));
    }
  }

  std::string folder_;
  std::string port_;
  std::string text_;
  pid_t id_ = -1;
  int in_ = -1;
  int out_ = -1;
};

}  // namespace hotswap::net
