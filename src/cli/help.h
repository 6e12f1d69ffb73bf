// How the command tree presents itself: help, and what is said about words that do not fit it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace hotswap::cli {

// CLI11's layout with wrapped descriptions and with fixed values beside the description.
[[nodiscard]] std::shared_ptr<CLI::Formatter> help_formatter();
// What stands below the options of `hotswap --help`: exit codes and examples.
[[nodiscard]] std::string root_footer();
// Below a command that was parsed: the help of the innermost one.
[[nodiscard]] std::string help_of(const CLI::App& root);
// The innermost command that the words named.
[[nodiscard]] const CLI::App& innermost(const CLI::App& root);
// "hotswap module ls"
[[nodiscard]] std::string full_name(const CLI::App& command);
// Whether the words end where a command is expected, as a lone "hotswap module" does.
[[nodiscard]] bool lacks_command(const CLI::App& root);
// What was wrong with the words, with the nearest word that would have fitted.
[[nodiscard]] Failure usage_problem(const CLI::App& root, const CLI::ParseError& problem);
// The candidate that `word` was likely meant to be; "" where none is near.
[[nodiscard]] std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace hotswap::cli
