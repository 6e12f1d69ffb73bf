// Every group of commands: each adds its CLI11 subcommands and, by on_run, what they do. The table that calls them
// stands in command_line.cc.
#pragma once

#include <CLI/CLI.hpp>

#include "base/json.h"
#include "cli/context.h"

namespace hotswap::cli {

void add_module_commands(CLI::App& root, Context& context);
void add_interface_commands(CLI::App& root, Context& context);
void add_deploy_command(CLI::App& root, Context& context);
void add_apply_command(CLI::App& root, Context& context);
void add_rollout_commands(CLI::App& root, Context& context);
void add_invoke_command(CLI::App& root, Context& context);
void add_completion_command(CLI::App& root, Context& context);
void add_version_command(CLI::App& root, Context& context);
void add_up_command(CLI::App& root, Context& context);
void add_control_command(CLI::App& root, Context& context);
void add_node_commands(CLI::App& root, Context& context);
void add_top_command(CLI::App& root, Context& context);
void add_scaling_commands(CLI::App& root, Context& context);
void add_run_command(CLI::App& root, Context& context);

// An option that may be given several times, one value each ("--env A=1 --env B=2"). CLI11's own default would let such
// an option swallow the words that follow.
template <class T>
CLI::Option* add_repeated(CLI::App& command, const std::string& flags, T& values, const std::string& description,
                          const std::string& type_name) {
  return command.add_option(flags, values, description)->allow_extra_args(false)->type_name(type_name);
}

// The values that an option is checked against (CLI::IsMember); empty where any text will do.
[[nodiscard]] std::vector<std::string> fixed_values(const CLI::Option& option);

// An enum's names, for CLI::IsMember.
template <DescribedEnum E>
[[nodiscard]] std::vector<std::string> member_names() {
  std::vector<std::string> names;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) { names.emplace_back(d.name); });
  return names;
}

// "K=V" words of one option; `option` names it in the failure.
[[nodiscard]] Outcome<std::map<std::string, std::string>> parse_pairs(const std::vector<std::string>& words,
                                                                      std::string_view option);

}  // namespace hotswap::cli
