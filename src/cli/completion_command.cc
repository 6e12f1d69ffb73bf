#include <fmt/format.h>

#include <ostream>

#include "cli/commands.h"

namespace hotswap::cli {
namespace {

// The command tree as a shell has to know it, read from the same objects that parse the command line.
struct CompletedOption {
  std::vector<std::string> names;  // with their dashes
  std::string description;
  bool takes_value = false;
  bool file = false;
  std::vector<std::string> values;  // all that are possible; empty where any text is
};

struct CompletedCommand {
  std::string path;  // "hotswap module ls"
  std::vector<std::pair<std::string, std::string>> commands;
  std::vector<CompletedOption> options;
};

CompletedOption completed(const CLI::Option& option) {
  CompletedOption result;
  for (const auto& name : option.get_lnames()) result.names.push_back("--" + name);
  for (const auto& name : option.get_snames()) result.names.push_back("-" + name);
  result.description = option.get_description();
  result.takes_value = option.get_items_expected_min() > 0;
  result.file = option.get_type_name() == "FILE";
  result.values = fixed_values(option);
  return result;
}

void collect(const CLI::App& app, const std::string& path, std::vector<CompletedCommand>& all) {
  CompletedCommand command{.path = path, .commands = {}, .options = {}};
  for (const auto* option : app.get_options()) {
    if (option->nonpositional()) command.options.push_back(completed(*option));
  }
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const auto* sub : subcommands) command.commands.emplace_back(sub->get_name(), sub->get_description());
  if (path == "hotswap completion") {
    for (const auto* shell : {"bash", "zsh", "fish"}) command.commands.emplace_back(shell, "");
  }
  all.push_back(std::move(command));
  for (const auto* sub : subcommands) collect(*sub, path + " " + sub->get_name(), all);
}

std::string shell_word(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      result += c;
    }
  }
  return result + "'";
}

// Case patterns for "path option" of every option that `wanted` accepts.
template <class F>
std::string option_cases(const std::vector<CompletedCommand>& commands, F&& text_of_case) {
  std::string cases;
  for (const auto& command : commands) {
    for (const auto& option : command.options) {
      const std::string action = text_of_case(option);
      if (action.empty()) continue;
      for (const auto& name : option.names) cases += fmt::format("    \"{} {}\") {} ;;\n", command.path, name, action);
    }
  }
  return cases;
}

std::string path_patterns(const std::vector<CompletedCommand>& commands) {
  std::vector<std::string> patterns;
  for (const auto& command : commands) {
    if (command.path != "hotswap") patterns.push_back('"' + command.path + '"');
  }
  return fmt::format("{}", fmt::join(patterns, "|"));
}

// ---- bash

std::string bash_script(const std::vector<CompletedCommand>& commands) {
  const auto cases = option_cases(commands, [](const CompletedOption& option) -> std::string {
    if (!option.values.empty()) {
      return fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$current\")); return", fmt::join(option.values, " "));
    }
    if (option.file) return "COMPREPLY=($(compgen -f -- \"$current\")); return";
    return option.takes_value ? "return" : "";
  });
  std::string words;
  for (const auto& command : commands) {
    std::vector<std::string> names;
    std::vector<std::string> options;
    for (const auto& [name, description] : command.commands) names.push_back(name);
    for (const auto& option : command.options) options.insert(options.end(), option.names.begin(), option.names.end());
    words += fmt::format("    \"{}\") names='{}' options='{}' ;;\n", command.path, fmt::join(names, " "),
                         fmt::join(options, " "));
  }
  return fmt::format(R"(# bash completion for hotswap. Load it with: source <(hotswap completion bash)
_hotswap() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local where=hotswap names='' options='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$where ${{COMP_WORDS[i]}}" in
      {}) where="$where ${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$where $previous" in
{}  esac
  case "$where" in
{}  esac
  if [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n "$names" ]]; then
    COMPREPLY=($(compgen -W "$names" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -o filenames -F _hotswap hotswap
)",
                     path_patterns(commands), cases, words);
}

// ---- zsh

// "name:description", whose own colons are escaped.
std::string zsh_item(const std::string& name, const std::string& description) {
  std::string escaped;
  for (const char c : name) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
  return shell_word(escaped + ":" + description);
}

std::string zsh_script(const std::vector<CompletedCommand>& commands) {
  const auto cases = option_cases(commands, [](const CompletedOption& option) -> std::string {
    if (!option.values.empty()) return fmt::format("compadd -- {}; return", fmt::join(option.values, " "));
    if (option.file) return "_files; return";
    return option.takes_value ? "return" : "";
  });
  std::string lists;
  for (const auto& command : commands) {
    std::vector<std::string> names;
    std::vector<std::string> options;
    for (const auto& [name, description] : command.commands) names.push_back(zsh_item(name, description));
    for (const auto& option : command.options) {
      for (const auto& name : option.names) options.push_back(zsh_item(name, option.description));
    }
    lists += fmt::format("    \"{}\")\n      names=({})\n      options=({}) ;;\n", command.path, fmt::join(names, " "),
                         fmt::join(options, " "));
  }
  return fmt::format(R"(#compdef hotswap
# zsh completion for hotswap. Load it with: source <(hotswap completion zsh)
_hotswap() {{
  local where=hotswap i
  local -a names options
  for ((i = 2; i < CURRENT; i++)); do
    case "$where ${{words[i]}}" in
      {}) where="$where ${{words[i]}}" ;;
    esac
  done
  case "$where ${{words[CURRENT-1]}}" in
{}  esac
  case "$where" in
{}  esac
  if [[ "${{words[CURRENT]}}" == -* ]]; then
    _describe -o option options
  elif (( ${{#names}} )); then
    _describe command names
  else
    _files
  fi
}}
if [[ "${{funcstack[1]}}" == _hotswap ]]; then
  _hotswap "$@"
else
  compdef _hotswap hotswap
fi
)",
                     path_patterns(commands), cases, lists);
}

// ---- fish

std::string fish_option(const CompletedCommand& command, const CompletedOption& option) {
  std::string line = fmt::format("complete -c hotswap -n {}", shell_word("__hotswap_at " + shell_word(command.path)));
  for (const auto& name : option.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (option.file) {
    line += " -r -F";
  } else if (option.takes_value) {
    line += " -x";
  }
  if (!option.values.empty()) line += " -a " + shell_word(fmt::format("{}", fmt::join(option.values, " ")));
  return line + " -d " + shell_word(option.description) + "\n";
}

std::string fish_script(const std::vector<CompletedCommand>& commands) {
  std::string paths;
  std::string lines;
  for (const auto& command : commands) {
    paths += " " + shell_word(command.path);
    for (const auto& [name, description] : command.commands) {
      lines += fmt::format("complete -c hotswap -n {} -f -a {} -d {}\n",
                           shell_word("__hotswap_at " + shell_word(command.path)), shell_word(name),
                           shell_word(description));
    }
    for (const auto& option : command.options) lines += fish_option(command, option);
  }
  return fmt::format(R"(# fish completion for hotswap. Load it with: hotswap completion fish | source
function __hotswap_at
    set -l where hotswap
    for word in (commandline -opc)[2..-1]
        if contains -- "$where $word"{}
            set where "$where $word"
        end
    end
    test "$where" = "$argv[1]"
end
{})",
                     paths, lines);
}

Outcome<int> print_script(Context& context, const CLI::App& root, const std::string& shell) {
  std::vector<CompletedCommand> commands;
  collect(root, "hotswap", commands);
  if (shell == "bash") {
    context.out << bash_script(commands);
  } else if (shell == "zsh") {
    context.out << zsh_script(commands);
  } else {
    context.out << fish_script(commands);
  }
  return kOk;
}

}  // namespace

void add_completion_command(CLI::App& root, Context& context) {
  auto* command = root.add_subcommand("completion", "Print a script that completes this program's words in a shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "Which shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("");
  command->footer(R"(Examples:
  source <(hotswap completion bash)                                      this bash session
  hotswap completion bash > /etc/bash_completion.d/hotswap               every bash session
  hotswap completion zsh > "${fpath[1]}/_hotswap"                        zsh
  hotswap completion fish > ~/.config/fish/completions/hotswap.fish      fish)");
  on_run(*command, context, [&context, &root, shell] { return print_script(context, root, *shell); });
}

}  // namespace hotswap::cli
