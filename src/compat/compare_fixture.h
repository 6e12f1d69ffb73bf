// For tests: changes as lines, and the linker's judgement beside ours.
#pragma once

#include <string>
#include <vector>

#include "compat/change.h"
#include "compat/wit_source.h"

namespace hotswap::compat {

using Packages = std::vector<WitPackage>;

// "FunctionRemoved acme:shop/api.f breaks Callers"
std::vector<std::string> lines(const std::vector<Change>& changes);

// wit-component's judgement of one world, in both directions, must be the verdict's; a failed test where it is not.
void expect_agreement(const Packages& before, const Packages& after, const std::string& world);

}  // namespace hotswap::compat
