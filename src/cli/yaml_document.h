// YAML as the API takes it: the same document in JSON.
#pragma once

#include <string>

#include "base/json.h"
#include "cli/failure.h"

namespace hotswap::cli {

// One document. Plain scalars are null, booleans and numbers where YAML 1.2's core schema says so; whatever is quoted
// is a string. JSON is YAML too. A failure says the line.
[[nodiscard]] Outcome<json::value> read_yaml(const std::string& text);

}  // namespace hotswap::cli
