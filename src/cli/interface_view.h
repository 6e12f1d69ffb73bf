// Changes of interfaces and what a module lacks, as people read them.
#pragma once

#include <string>

#include "compat/conformance.h"
#include "compat/verdict.h"

namespace hotswap::cli {

// The whole list, with what it means under the verdict's mode.
[[nodiscard]] std::string text_of(const compat::Comparison& comparison, const compat::Verdict& verdict, bool color);

[[nodiscard]] std::string text_of(const std::string& module, const compat::Conformance& conformance, bool color);

}  // namespace hotswap::cli
