#include "cli/interface_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/table.h"

namespace hotswap::cli {
namespace {

using compat::Breaks;
using compat::Change;
using compat::Fit;

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";

std::string painted(std::string_view text, std::string_view paint, bool color) {
  return color && !paint.empty() ? fmt::format("{}{}{}", paint, text, kPlain) : std::string(text);
}

// "ParameterTypeChanged" as "parameter type changed"
std::string words(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !text.empty()) text += ' ';
    text += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

std::string_view whom(Breaks breaks) {
  switch (breaks) {
    case Breaks::None:
      return "breaks nobody";
    case Breaks::Callers:
      return "breaks callers";
    case Breaks::Implementers:
      return "breaks implementers";
    case Breaks::Both:
      return "breaks callers and implementers";
  }
  return {};
}

void append(std::string& text, const Change& change, std::string_view paint, std::string_view mark, bool color) {
  text += fmt::format("{} {}  {}\n", painted(mark, paint, color), painted(change.path, kBold, color),
                      painted(fmt::format("{}, {}", words(enum_name(change.kind)), whom(change.breaks)), paint, color));
  if (!change.was.empty()) text += painted("    - " + change.was, kRed, color) + '\n';
  if (!change.is.empty()) text += painted("    + " + change.is, kGreen, color) + '\n';
  if (!change.hint.empty()) text += fmt::format("      {}\n", change.hint);
}

std::string counted(std::size_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

void append(std::string& text, const compat::CheckedItem& item, std::string_view what, bool color) {
  const bool bad = item.fit == Fit::Missing || item.fit == Fit::Differs;
  const std::string_view paint = bad ? kRed : item.fit == Fit::Fits ? kGreen : kYellow;
  const std::string_view mark = bad ? "✗" : item.fit == Fit::Fits ? "✓" : "?";
  std::string word =
      item.fit == Fit::Unknown ? "not described: give its package with --wit" : words(enum_name(item.fit));
  if (!item.by.empty() && item.by != item.name) word += (item.fit == Fit::Fits ? " " : " from ") + item.by;
  text += fmt::format("{} {} {}  {}\n", painted(mark, paint, color), what, painted(item.name, kBold, color),
                      painted(word, paint, color));
  if (!item.detail.empty()) text += fmt::format("    {}\n", item.detail);
  for (const auto& change : item.changes) {
    text += fmt::format("    {}  {}\n", change.path, words(enum_name(change.kind)));
    if (!change.was.empty()) text += painted("      - " + change.was, kRed, color) + '\n';
    if (!change.is.empty()) text += painted("      + " + change.is, kGreen, color) + '\n';
  }
}

}  // namespace

std::string text_of(const compat::Comparison& comparison, const compat::Verdict& verdict, bool color) {
  std::string text = fmt::format("{} → {}\n", comparison.from, comparison.to);
  for (const auto& change : comparison.changes) {
    if (!compat::compatible(change, comparison.subject, verdict.mode)) {
      append(text, change, kRed, "✗", color);
    } else {
      append(text, change, change.breaks == Breaks::None ? "" : kYellow, change.breaks == Breaks::None ? "·" : "!",
             color);
    }
  }
  if (comparison.changes.empty()) {
    text += "No changes.\n";
    return text;
  }
  const std::string mode(enum_name(verdict.mode));
  text +=
      verdict.compatible
          ? painted(fmt::format("{}, none breaking under mode {}", counted(comparison.changes.size(), "change"), mode),
                    kGreen, color)
          : painted(fmt::format("{}, {} breaking under mode {}", counted(comparison.changes.size(), "change"),
                                verdict.breaking, mode),
                    kRed, color);
  text += '\n';
  if (!verdict.version.problem.empty()) {
    text += painted(fmt::format("version: {}", verdict.version.problem), kYellow, color) + '\n';
  }
  return text;
}

std::string text_of(const std::string& module, const compat::Conformance& conformance, bool color) {
  std::string text = module + '\n';
  for (const auto& item : conformance.imports) append(text, item, "import", color);
  for (const auto& item : conformance.exports) append(text, item, "export", color);
  text += conformance.fits ? painted("fits", kGreen, color) : painted("does not fit", kRed, color);
  return text + '\n';
}

}  // namespace hotswap::cli
