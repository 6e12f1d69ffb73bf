#include "cli/command_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <iostream>

#include "base/json.h"
#include "cli/commands.h"

namespace hotswap::cli {
namespace {

using AddCommands = void (*)(CLI::App& root, Context& context);

// Every command of the program, in the order of `hotswap --help`.
constexpr std::array kCommands{
    add_up_command,       add_run_command,    add_module_commands,    add_deploy_command,
    add_rollout_commands, add_invoke_command, add_completion_command, add_version_command,
};

constexpr std::string_view kExamples = R"(
Examples:
  hotswap up                                   start a server on this machine
  hotswap module push hello-v1.0.0.wasm        register a version
  hotswap deploy hello@1.0.0 --watch           bring it into service
  hotswap invoke hello add 2 3                 call one of its functions
  hotswap rollout rollback 3f2a --watch        go back to the version before

'hotswap COMMAND --help' explains each command.)";

std::string root_footer() {
  std::string text = "Exit codes:\n";
  for (const auto& row : kExitCodes) text += fmt::format("  {}  {}\n", static_cast<int>(row.code), row.meaning);
  return text + std::string(kExamples);
}

void add_global_options(CLI::App& command, GlobalOptions& options) {
  const auto add = [&](CLI::Option* option) { return option->group("Global options"); };
  add(command.add_option("--server", options.server,
                         fmt::format("Server to talk to. Default: the configuration file's, else $HOTSWAP_SERVER, "
                                     "else {}",
                                     kDefaultServer)))
      ->type_name("URL");
  add(command.add_option("--output", options.output, "How to print results (default table)"))
      ->check(CLI::IsMember(member_names<OutputFormat>()))
      ->type_name("FORMAT");
  add(command.add_option("--config", options.config,
                         "Configuration file (YAML: server, output, region). Default: ~/.config/hotswap/config.yaml"))
      ->type_name("FILE");
  add(command.add_flag("--quiet", options.quiet, "Print results only: no progress, no hints"));
  add(command.add_flag("--no-color", options.no_color, "No colours ($NO_COLOR does the same)"));
}

std::shared_ptr<CLI::Formatter> formatter() {
  auto format = std::make_shared<CLI::Formatter>();
  format->label("OPTIONS", "OPTION...");
  format->label("SUBCOMMAND", "COMMAND");
  format->label("Positionals", "Arguments");
  format->label("REQUIRED", "(required)");
  format->column_width(34);
  return format;
}

// CLI11 takes a word such as "[1,2]" apart at its commas where an option accepts many values. A leading space, which
// JSON ignores, keeps it whole. Only the commands that take JSON words are concerned; `run` hands what follows "--" to
// the guest as it is.
void keep_arrays_whole(const CLI::App& root, std::vector<std::string>& words) {
  std::size_t at = 0;
  while (at < words.size() && words[at].starts_with('-')) {
    const auto* option = root.get_option_no_throw(words[at]);
    at += option != nullptr && option->get_items_expected_min() > 0 ? 2 : 1;
  }
  if (at >= words.size() || (words[at] != "invoke" && words[at] != "run")) return;
  const bool stops_at_dashes = words[at] == "run";
  for (++at; at < words.size(); ++at) {
    if (stops_at_dashes && words[at] == "--") return;
    if (words[at].starts_with('[') && words[at].ends_with(']')) words[at].insert(0, 1, ' ');
  }
}

// The settings are not known yet when the command line itself is wrong.
bool wants_json(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--output=json") return true;
    if (words[i] == "--output" && i + 1 < words.size() && words[i + 1] == "json") return true;
  }
  return false;
}

const CLI::App* deepest_parsed(const CLI::App& root) {
  const CLI::App* command = &root;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return command;
}

std::string full_name(const CLI::App* command) {
  std::string name = command->get_name();
  for (command = command->get_parent(); command != nullptr; command = command->get_parent()) {
    name = command->get_name() + " " + name;
  }
  return name;
}

int report(Context& context, const Failure& failure, bool as_json, bool color) {
  context.out.flush();
  print_failure(context.err, failure, as_json, color && context.terminal.err);
  return static_cast<int>(failure.exit);
}

int run_chosen(Context& context) {
  auto settings = resolve_settings(context.options, context.environment);
  if (!settings) return report(context, settings.error(), context.options.output == "json", false);
  context.settings = *std::move(settings);
  const auto code = context.chosen();
  if (!code) {
    return report(context, code.error(), context.settings.output == OutputFormat::json, context.settings.color);
  }
  context.out.flush();
  return *code;
}

}  // namespace

void on_run(CLI::App& command, Context& context, std::function<Outcome<int>()> body) {
  add_global_options(command, context.options);
  command.callback([&context, body = std::move(body)] { context.chosen = body; });
}

Outcome<std::map<std::string, std::string>> parse_pairs(const std::vector<std::string>& words,
                                                        std::string_view option) {
  std::map<std::string, std::string> pairs;
  for (const auto& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return usage_failure(fmt::format("{}: expected KEY=VALUE, got \"{}\"", option, word));
    }
    if (!pairs.emplace(word.substr(0, equals), word.substr(equals + 1)).second) {
      return usage_failure(fmt::format("{}: {} is given twice", option, word.substr(0, equals)));
    }
  }
  return pairs;
}

int run_words(Context& context, std::vector<std::string> words) {
  CLI::App root("HotSwap runs WebAssembly modules and replaces them under load without dropping a request.", "hotswap");
  root.formatter(formatter());
  root.require_subcommand(1);
  root.set_help_flag("-h,--help", "Print this help");
  add_global_options(root, context.options);
  root.footer(root_footer());
  for (const auto& add : kCommands) add(root, context);

  const bool as_json = wants_json(words);
  keep_arrays_whole(root, words);
  std::ranges::reverse(words);  // CLI11 takes the words from the back
  try {
    root.parse(words);
  } catch (const CLI::CallForHelp&) {
    const CLI::App* command = deepest_parsed(root);
    context.out << command->help(full_name(command));
    return kOk;
  } catch (const CLI::ParseError& problem) {
    const CLI::App* command = deepest_parsed(root);
    const Failure failure{.exit = ExitCode::Usage,
                          .title = "Wrong usage",
                          .detail = problem.what(),
                          .next = full_name(command) + " --help"};
    return report(context, failure, as_json, context.environment.count("NO_COLOR") == 0);
  }
  return run_chosen(context);
}

int run_command_line(int argc, char** argv) {
  // A reader that leaves early (`hotswap module ls | head -1`) is an ordinary end, reported by the failing write.
  std::signal(SIGPIPE, SIG_IGN);
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  Terminal terminal{
      .in = isatty(STDIN_FILENO) == 1, .out = isatty(STDOUT_FILENO) == 1, .err = isatty(STDERR_FILENO) == 1};
  winsize size{};
  const int screen = terminal.out ? STDOUT_FILENO : STDERR_FILENO;
  if (ioctl(screen, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.columns = size.ws_col;

  const SystemClock clock;
  Context context{.in = std::cin,
                  .out = std::cout,
                  .err = std::cerr,
                  .terminal = terminal,
                  .environment = std::move(environment),
                  .clock = clock};
  return run_words(context, {argv + 1, argv + argc});
}

}  // namespace hotswap::cli
