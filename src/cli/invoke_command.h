// What `hotswap invoke` asks of the API.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/output.h"

namespace hotswap::cli {

struct InvokeOptions {
  std::string module{};  // NAME: the version in service; NAME@VERSION: exactly that one
  std::string function{};
  std::vector<std::string> words{};  // one parameter each
  std::string params{};              // all of them, as an array or an object
  std::string region{};
  std::string bytes{};
  bool whole_result = false;
};

// A word that is JSON stands for itself, digit for digit; any other word becomes a JSON string.
[[nodiscard]] std::string json_of_word(std::string_view word);
// The text to post.
[[nodiscard]] Outcome<std::string> invocation_body(const InvokeOptions& options,
                                                   const std::optional<std::string>& default_region);

}  // namespace hotswap::cli
