// What a command may touch: its streams, its terminal, its environment, its settings. Passed to every command, so that
// a test runs the same code as a shell does.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cli/failure.h"
#include "cli/settings.h"

namespace CLI {
class App;
}

namespace hotswap::cli {

// Which streams are a terminal, and how wide it is.
struct Terminal {
  bool in = false;
  bool out = false;
  bool err = false;
  std::size_t columns = 80;
};

// Lives as long as one command line; used on one thread.
struct Context {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  Terminal terminal;
  Environment environment;
  const Clock& clock;

  GlobalOptions options{};  // as given on the command line
  Settings settings{};      // resolved from options, configuration file and environment before a command runs

  // The command that the command line chose, set by on_run. Its result is the process's exit code.
  std::function<Outcome<int>()> chosen{};
};

// Lets `command` run `body` when it is the one chosen. `body` runs after the whole command line was parsed and the
// settings were resolved; it returns the exit code.
void on_run(CLI::App& command, Context& context, std::function<Outcome<int>()> body);

inline constexpr int kOk = static_cast<int>(ExitCode::Ok);

}  // namespace hotswap::cli
