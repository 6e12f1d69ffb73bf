// For the tests of this folder: a command line with captured streams, and a server that answers what it is told.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/command_line.h"
#include "net/server.h"

namespace hotswap::cli {

struct Reply {
  unsigned status = 200;
  std::string body{};
  std::string content_type = "application/json";
};

struct Received {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // content-type, accept, last-event-id
  std::string body;
};

// Answers "METHOD /path" (without query) with the replies given for it, one after the other; the last one stays.
// What it was not told is a 404 problem document.
class FakeServer {
 public:
  FakeServer();
  ~FakeServer();

  void on(const std::string& route, Reply reply);
  [[nodiscard]] std::string url() const { return server_->url(); }
  [[nodiscard]] std::vector<Received> requests();
  // The only request to `route`.
  [[nodiscard]] Received request(const std::string& route);

 private:
  Task<void> answer(net::Exchange& exchange);

  std::mutex mutex_;
  std::map<std::string, std::vector<Reply>> replies_;
  std::vector<Received> requests_;
  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
  net::IoThreads threads_{1};
  std::unique_ptr<net::Server> server_;
};

// One shell's worth of state; every run() starts with empty output.
struct Console {
  std::string input;
  Terminal terminal{};
  Environment environment{};
  ManualClock clock{*parse_rfc3339("2026-11-21T12:00:00.000Z")};
  std::string out;
  std::string err;

  int run(std::vector<std::string> words) {
    std::istringstream in_stream(input);
    std::ostringstream out_stream;
    std::ostringstream err_stream;
    Context context{.in = in_stream,
                    .out = out_stream,
                    .err = err_stream,
                    .terminal = terminal,
                    .environment = environment,
                    .clock = clock};
    const int code = run_words(context, std::move(words));
    out = out_stream.str();
    err = err_stream.str();
    return code;
  }
};

// A console that talks to a fake server, and a folder of its own.
class CommandTest : public testing::Test {
 protected:
  CommandTest();
  ~CommandTest() override;

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void write_file(const std::string& name, const std::string& bytes) const;
  [[nodiscard]] std::string read_file(const std::string& name) const;

  FakeServer server;
  Console console;

 private:
  std::string folder_;
};

}  // namespace hotswap::cli
