#include "cli/yaml_document.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>

#include "base/limits.h"

namespace hotswap::cli {
namespace {

json::value plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true") return true;
  if (text == "false") return false;
  const char* end = text.data() + text.size();
  std::int64_t integer = 0;
  if (const auto [stop, code] = std::from_chars(text.data(), end, integer); code == std::errc() && stop == end) {
    return integer;
  }
  double number = 0;
  const bool numeric = text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  if (const auto [stop, code] = std::from_chars(text.data(), end, number);
      numeric && code == std::errc() && stop == end) {
    return number;
  }
  return json::string(text);
}

std::unexpected<Failure> wrong(const YAML::Node& node, std::string_view problem) {
  return usage_failure(fmt::format("line {}: {}", node.Mark().line + 1, problem));
}

Outcome<json::value> convert(const YAML::Node& node, std::size_t depth) {
  if (depth > limits::kJsonDepth) return wrong(node, "nested too deeply");
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return node.Tag() == "!" ? json::value(node.Scalar()) : plain_scalar(node.Scalar());
    case YAML::NodeType::Sequence: {
      json::array array;
      for (const auto& element : node) {
        HS_TRY(auto value, convert(element, depth + 1));
        array.push_back(std::move(value));
      }
      return array;
    }
    case YAML::NodeType::Map: {
      json::object object;
      for (const auto& entry : node) {
        if (!entry.first.IsScalar()) return wrong(entry.first, "a key must be a word");
        HS_TRY(auto value, convert(entry.second, depth + 1));
        if (!object.emplace(entry.first.Scalar(), std::move(value)).second) {
          return wrong(entry.first, fmt::format("\"{}\" stands here twice", entry.first.Scalar()));
        }
      }
      return object;
    }
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      break;
  }
  return json::value(nullptr);
}

}  // namespace

Outcome<json::value> read_yaml(const std::string& text) {
  try {
    const auto documents = YAML::LoadAll(text);
    if (documents.size() != 1) {
      return usage_failure(fmt::format("expected one document, found {}", documents.size()));
    }
    return convert(documents.front(), 0);
  } catch (const YAML::Exception& problem) {
    return usage_failure(fmt::format("line {}: {}", problem.mark.line + 1, problem.msg));
  }
}

}  // namespace hotswap::cli
