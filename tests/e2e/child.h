// The hotswap program as a child process.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace hotswap::e2e {

// Ended by its id when destroyed. One thread.
class Child {
 public:
  // Arguments without the program's name. Throws where the process cannot be started.
  // `before`: words of a program that runs it, such as "ip netns exec NAME"; it must not fork.
  explicit Child(const std::vector<std::string>& arguments, const std::string& input = {},
                 const std::vector<std::string>& before = {});
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The next line, without its end; empty when the stream ended. Throws after two minutes of silence.
  std::string out_line();
  std::string err_line();
  // Reads both streams to their ends and waits for the process.
  struct Ended {
    int exit_code = -1;  // 128 + signal where a signal ended it
    std::string out;
    std::string err;
  };
  Ended wait();
  void send(int signal) const;

 private:
  pid_t id_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string out_text_;
  std::string err_text_;
};

// Runs a command line to its end.
Child::Ended run(const std::vector<std::string>& arguments, const std::string& input = {});

// "samples/out/<name>.wasm"; throws, saying how to build it, where it is missing.
std::string sample(const std::string& name);

// `hotswap up` on free ports, with its data in a folder that outlives it.
class Server {
 public:
  // `more`: options of `hotswap up`.
  explicit Server(const std::string& data, const std::vector<std::string>& more = {});
  [[nodiscard]] const std::string& api() const noexcept { return api_; }
  [[nodiscard]] const std::string& gateway() const noexcept { return gateway_; }
  [[nodiscard]] Child& child() noexcept { return child_; }
  // A command line against this server that must succeed; its standard output.
  std::string hotswap(std::vector<std::string> arguments) const;
  // push and deploy --watch of a sample.
  void release(const std::string& sample_name, const std::string& name, const std::string& version) const;

 private:
  Child child_;
  std::string api_;
  std::string gateway_;
};

// A folder below the test's temporary folder, removed at the end.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace hotswap::e2e
