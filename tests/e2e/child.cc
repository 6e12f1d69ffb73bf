#include "child.h"

#include <boost/json.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace hotswap::e2e {
namespace {

constexpr int kSilenceMs = 120'000;

struct Pipe {
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  std::array<int, 2> ends{};
};

// Appends what has arrived on `fd`; false at its end.
bool read_more(int fd, std::string& text) {
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  if (::poll(&wanted, 1, kSilenceMs) == 0) throw std::runtime_error("the process was silent for two minutes");
  std::array<char, 65536> buffer;
  const ssize_t size = ::read(fd, buffer.data(), buffer.size());
  if (size <= 0) return false;
  text.append(buffer.data(), static_cast<std::size_t>(size));
  return true;
}

std::string next_line(int fd, std::string& text) {
  for (;;) {
    if (const auto end = text.find('\n'); end != std::string::npos) {
      std::string line = text.substr(0, end);
      text.erase(0, end + 1);
      return line;
    }
    if (!read_more(fd, text)) return std::exchange(text, {});
  }
}

std::vector<std::string> up(const std::string& data, const std::vector<std::string>& more) {
  std::vector<std::string> words{"up", "--data", data, "--api", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--threads",
                                 "2",
                                 // The thread sanitizer leaves too little address space for more.
                                 "--instances", "16", "--output", "json"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

Child::Child(const std::vector<std::string>& arguments, const std::string& input,
             const std::vector<std::string>& before) {
  Pipe in;
  Pipe out;
  Pipe err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.ends[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
  std::vector<std::string> words = before;
  words.emplace_back(HOTSWAP_PROGRAM);
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int failed = ::posix_spawnp(&id_, argv.front(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(in.ends[0]);
  ::close(out.ends[1]);
  ::close(err.ends[1]);
  out_ = out.ends[0];
  err_ = err.ends[0];
  // Inputs of tests fit into the pipe.
  const bool written = input.empty() || ::write(in.ends[1], input.data(), input.size()) > 0;
  ::close(in.ends[1]);
  if (failed != 0 || !written) throw std::system_error(failed, std::generic_category(), words.front());
}

Child::~Child() {
  if (id_ > 0) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  ::close(out_);
  ::close(err_);
}

std::string Child::out_line() { return next_line(out_, out_text_); }
std::string Child::err_line() { return next_line(err_, err_text_); }
void Child::send(int signal) const { ::kill(id_, signal); }

Child::Ended Child::wait() {
  std::array<pollfd, 2> open{{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    if (::poll(open.data(), open.size(), kSilenceMs) == 0) throw std::runtime_error("the process does not end");
    for (auto& stream : open) {
      if (stream.fd >= 0 && stream.revents != 0 && !read_more(stream.fd, stream.fd == out_ ? out_text_ : err_text_)) {
        stream.fd = -1;
      }
    }
  }
  int status = 0;
  ::waitpid(id_, &status, 0);
  id_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out_text_, err_text_};
}

Child::Ended run(const std::vector<std::string>& arguments, const std::string& input) {
  return Child(arguments, input).wait();
}

std::string sample(const std::string& name) {
  std::string path = std::string(HOTSWAP_SAMPLES) + "/" + name + ".wasm";
  if (!std::filesystem::exists(path)) throw std::runtime_error(path + " is missing: run ./dev samples");
  return path;
}

Server::Server(const std::string& data, const std::vector<std::string>& more) : child_(up(data, more)) {
  const std::string line = child_.out_line();
  if (line.empty()) throw std::runtime_error("hotswap up ended: " + child_.wait().err);
  const auto ready = boost::json::parse(line);
  api_ = ready.at("api").as_string();
  gateway_ = ready.at("gateway").as_string();
}

std::string Server::hotswap(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"--server", api_});
  const auto ended = run(arguments);
  if (ended.exit_code != 0) {
    throw std::runtime_error(arguments.at(2) + " exited with " + std::to_string(ended.exit_code) + ": " + ended.err);
  }
  return ended.out;
}

void Server::release(const std::string& sample_name, const std::string& name, const std::string& version) const {
  hotswap({"module", "push", sample(sample_name), "--name", name, "--version", version});
  hotswap({"deploy", name + "@" + version, "--watch"});
}

Folder::Folder() : path_(testing::TempDir() + "hotswap-e2e-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw std::system_error(errno, std::generic_category(), path_);
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace hotswap::e2e
