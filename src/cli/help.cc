#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace hotswap::cli {
namespace {

constexpr std::size_t kNameColumn = 30;
constexpr std::size_t kTextColumn = 80;  // for the descriptions beside it

constexpr std::string_view kExamples = R"(
Examples:
  hotswap up                                   start a server on this machine
  hotswap module push hello-v1.0.0.wasm        register a version
  hotswap deploy hello@1.0.0 --watch           bring it into service
  hotswap invoke hello add 2 3                 call one of its functions
  hotswap rollout rollback 3f2a91c4 --watch    go back to the version before

'hotswap COMMAND --help' explains each command.)";

std::string wrapped(const std::string& text) {
  std::string result;
  std::size_t width = 0;
  for (const auto& word : CLI::detail::split(text, ' ')) {
    if (width != 0 && width + 1 + word.size() > kTextColumn) {
      result += '\n';
      width = 0;
    } else if (width != 0) {
      result += ' ';
      ++width;
    }
    result += word;
    width += word.size();
  }
  return result;
}

// CLI11 appends what is checked to the type's name: "STATUS:{Active,Disabled}", "N:INT in [1 - 9]".
std::string plain_type(const std::string& type) {
  auto end = type.find(":{");
  if (const auto range = type.find(" in ["); end == std::string::npos && range != std::string::npos) {
    end = type.rfind(':', range);
  }
  return type.substr(0, end);
}

class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() {
    label("OPTIONS", "OPTION...");
    label("SUBCOMMAND", "COMMAND");
    label("Positionals", "Arguments");
    column_width(kNameColumn);
  }

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    // CLI11 puts an empty line both after and before a group.
    return CLI::detail::find_and_replace(Formatter::make_help(app, std::move(name), mode), "\n\n\n", "\n\n");
  }

  std::string make_subcommand(const CLI::App* sub) const override {
    std::stringstream out;
    CLI::detail::format_help(out, sub->get_name(), wrapped(sub->get_description()), kNameColumn);
    return out.str();
  }

  // Only the type's own name: what is checked, required or excluded is said in words.
  std::string make_option_opts(const CLI::Option* option) const override {
    const auto name = plain_type(option->get_type_name());
    if (option->get_positional() || name.empty() || option->get_type_size() == 0) return {};
    return " " + name;
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    auto text = option->get_description();
    if (const auto values = fixed_values(*option); !values.empty()) {
      text += fmt::format(": {}", fmt::join(values, ", "));
    }
    const auto by_default = option->get_default_str();
    if (!by_default.empty()) text += fmt::format(" (default {})", by_default);
    return wrapped(text);
  }
};

std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

std::vector<std::string> words_of(const CLI::App& command, bool options) {
  std::vector<std::string> words;
  if (!options) {
    for (const auto* sub : command.get_subcommands([](const CLI::App*) { return true; }))
      words.push_back(sub->get_name());
    return words;
  }
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

// CLI11 calls a word that is no command a missing command.
std::string unknown_word(const CLI::App& command) {
  for (const auto& word : command.remaining(false)) {
    const bool option = word.starts_with('-');
    const auto candidates = words_of(command, option);
    if (candidates.empty()) continue;
    auto text = fmt::format("'{}' has no {} '{}'", full_name(command), option ? "option" : "command", word);
    const auto meant = nearest(word.substr(0, word.find('=')), candidates);
    if (!meant.empty()) text += fmt::format("; did you mean '{}'?", meant);
    return text;
  }
  return {};
}

}  // namespace

std::vector<std::string> fixed_values(const CLI::Option& option) {
  const auto type = option.get_type_name();
  const auto open = type.find('{');
  const auto close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

std::shared_ptr<CLI::Formatter> help_formatter() { return std::make_shared<HelpFormatter>(); }

std::string root_footer() {
  std::string text = "Exit codes:\n";
  for (const auto& row : kExitCodes) text += fmt::format("  {}  {}\n", static_cast<int>(row.code), row.meaning);
  return text + std::string(kExamples);
}

const CLI::App& innermost(const CLI::App& root) {
  const CLI::App* command = &root;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

std::string full_name(const CLI::App& command) {
  if (command.get_parent() == nullptr) return command.get_name();
  return full_name(*command.get_parent()) + " " + command.get_name();
}

std::string help_of(const CLI::App& root) {
  const CLI::App& command = innermost(root);
  return command.help(command.get_parent() == nullptr ? std::string() : full_name(*command.get_parent()));
}

bool lacks_command(const CLI::App& root) {
  const CLI::App& command = innermost(root);
  return command.get_require_subcommand_min() > 0 && command.remaining(false).empty();
}

Failure usage_problem(const CLI::App& root, const CLI::ParseError& problem) {
  const CLI::App& command = innermost(root);
  auto detail = unknown_word(command);
  if (detail.empty()) detail = lacks_command(root) ? "a command is missing" : problem.what();
  return {.exit = ExitCode::Usage,
          .title = "Wrong usage",
          .detail = std::move(detail),
          .next = full_name(command) + " --help"};
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  // A third of the letters may be wrong, or the word may be a beginning.
  std::size_t best_distance = word.size() / 3 + 1;
  for (const auto& candidate : candidates) {
    const bool beginning = word.size() >= 2 && word != "--" && candidate.starts_with(word);
    const std::size_t away = beginning ? 1 : distance(word, candidate);
    if (away <= best_distance && (best.empty() || away < best_distance)) {
      best = candidate;
      best_distance = away;
    }
  }
  return best;
}

}  // namespace hotswap::cli
