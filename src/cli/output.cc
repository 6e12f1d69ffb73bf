#include "cli/output.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ostream>

#include "cli/table.h"

namespace hotswap::cli {
namespace {

// YAML reads a plain `true`, `1.0` or `null` as something other than a string, so such strings are quoted.
bool reads_as_string(std::string_view text) {
  if (text.empty()) return false;
  const auto parsed = parse_json(text);
  if (parsed) return false;
  static constexpr std::array kWords{"yes", "no", "on", "off", "y", "n", "~", "true", "false", "null", ".nan", ".inf"};
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::ranges::find(kWords, lower) != kWords.end()) return false;
  // Version numbers and dates look like numbers to some readers.
  return std::string_view("0123456789+-.").find(text.front()) == std::string_view::npos;
}

void emit(YAML::Emitter& out, const json::value& value) {
  if (const auto* object = value.if_object()) {
    if (object->empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, element] : *object) {
      out << YAML::Key << std::string(key) << YAML::Value;
      emit(out, element);
    }
    out << YAML::EndMap;
  } else if (const auto* array = value.if_array()) {
    if (array->empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const auto& element : *array) emit(out, element);
    out << YAML::EndSeq;
  } else if (const auto* text = value.if_string()) {
    const std::string copy(*text);
    if (copy.contains('\n')) {
      out << YAML::Literal << copy;
    } else if (reads_as_string(copy)) {
      out << copy;
    } else {
      out << YAML::DoubleQuoted << copy;
    }
  } else if (value.is_null()) {
    out << YAML::Null;
  } else if (value.is_double()) {
    out << fmt::format("{}", value.get_double());
  } else {
    out << json::serialize(value);
  }
}

}  // namespace

void print_result(Context& context, const Document& document, const std::function<void()>& as_table) {
  switch (context.settings.output) {
    case OutputFormat::json:
      context.out << document.text << '\n';
      break;
    case OutputFormat::yaml:
      context.out << to_yaml(document.value) << '\n';
      break;
    case OutputFormat::table:
      as_table();
      break;
  }
}

std::size_t table_width(const Context& context) { return context.terminal.out ? context.terminal.columns : 0; }

bool colored(const Context& context) { return context.settings.color && context.terminal.out; }

void print_hint(Context& context, std::string_view line) {
  if (context.settings.quiet || context.settings.output != OutputFormat::table) return;
  context.out << line << '\n';
}

std::string to_yaml(const json::value& value) {
  YAML::Emitter out;
  emit(out, value);
  return out.c_str();
}

const json::value& member(const json::value& value, std::string_view name) {
  static const json::value kNull;
  const auto* object = value.if_object();
  const auto* found = object != nullptr ? object->if_contains(name) : nullptr;
  return found != nullptr ? *found : kNull;
}

std::string text_of(const json::value& value) {
  if (value.is_null()) return {};
  if (const auto* text = value.if_string()) return std::string(*text);
  return json::serialize(value);
}

std::string text_of(const json::value& value, std::string_view name) { return text_of(member(value, name)); }

std::uint64_t number_of(const json::value& value, std::string_view name) {
  const auto& found = member(value, name);
  return found.is_number() ? found.to_number<std::uint64_t>() : 0;
}

std::string joined(const json::value& array, std::string_view separator) {
  std::string text;
  if (!array.is_array()) return text;
  for (const auto& element : array.get_array()) {
    if (!text.empty()) text += separator;
    text += text_of(element);
  }
  return text;
}

std::string age_of(const Context& context, const json::value& value, std::string_view name) {
  const auto time = parse_rfc3339(text_of(value, name));
  return time ? human_age(*time, context.clock.now()) : std::string();
}

const json::array& items_of(const json::value& list) {
  static const json::array kEmpty;
  const auto* items = member(list, "items").if_array();
  return items != nullptr ? *items : kEmpty;
}

}  // namespace hotswap::cli
