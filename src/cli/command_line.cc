#include "cli/command_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <iostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/help.h"

namespace hotswap::cli {
namespace {

using AddCommands = void (*)(CLI::App& root, Context& context);

// Every command of the program, in the order of `hotswap --help`.
constexpr std::array kCommands{
    add_up_command,      add_control_command,    add_node_commands,      add_scaling_commands, add_run_command,
    add_module_commands, add_interface_commands, add_deploy_command,     add_apply_command,    add_rollout_commands,
    add_top_command,     add_invoke_command,     add_completion_command, add_version_command,
};

void add_global_options(CLI::App& command, GlobalOptions& options) {
  const auto add = [&](CLI::Option* option) { return option->group("Global options"); };
  add(command.add_option(
          "--server", options.server,
          fmt::format("Server. Default: configuration file, else $HOTSWAP_SERVER, else {}", kDefaultServer)))
      ->type_name("URL");
  add(command.add_option("--output", options.output, "How to print results, by default as a table"))
      ->check(CLI::IsMember(member_names<OutputFormat>()))
      ->type_name("FORMAT");
  add(command.add_option("--config", options.config,
                         "YAML with server, output, region. Default: ~/.config/hotswap/config.yaml"))
      ->type_name("FILE");
  add(command.add_flag("--quiet", options.quiet, "Print results only: no progress, no hints"));
  add(command.add_flag("--no-color", options.no_color, "No colours ($NO_COLOR does the same)"));
}

// CLI11 takes a word such as "[1,2]" apart at its commas where an option accepts many values. A mark before it keeps it
// whole; every option takes the mark off again.
constexpr char kWholeMark = '\x1f';

void mark_arrays(std::vector<std::string>& words) {
  for (auto& word : words) {
    if ((word.starts_with('[') && word.ends_with(']')) || word.starts_with(kWholeMark)) word.insert(0, 1, kWholeMark);
  }
}

std::string unmarked(std::string word) {
  if (word.starts_with(kWholeMark)) word.erase(0, 1);
  return word;
}

// What every command of the tree has: the global options, and options that take marks off.
void complete_tree(CLI::App& app, GlobalOptions& options) {
  add_global_options(app, options);
  for (auto* option : app.get_options()) {
    if (option->get_type_size() != 0) option->transform(unmarked);
  }
  for (auto* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    sub->group("Commands");
    complete_tree(*sub, options);
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
  root.formatter(help_formatter());
  root.require_subcommand(1);
  root.set_help_flag("-h,--help", "Print this help");
  root.footer(root_footer());
  for (const auto& add : kCommands) add(root, context);
  complete_tree(root, context.options);

  const bool as_json = wants_json(words);
  mark_arrays(words);
  std::ranges::reverse(words);  // CLI11 takes the words from the back
  try {
    root.parse(words);
  } catch (const CLI::CallForHelp&) {
    context.out << help_of(root);
    return kOk;
  } catch (const CLI::ParseError& problem) {
    if (lacks_command(root) && !as_json) context.err << help_of(root) << '\n';
    return report(context, usage_problem(root, problem), as_json, !context.environment.contains("NO_COLOR"));
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
