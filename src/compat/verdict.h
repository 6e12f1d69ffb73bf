// What a comparison means: under a mode, and for the version.
#pragma once

#include <string>
#include <vector>

#include "compat/change.h"

namespace hotswap::compat {

enum class VersionStep { None, Patch, Minor, Major };
BOOST_DESCRIBE_ENUM(VersionStep, None, Patch, Minor, Major)

// Semantic versioning as WIT packages use it. Breaking is what breaks Backward; below 1.0.0 the minor version is what a
// breaking change needs, and below 0.1.0 the patch version. Anything else that somebody could notice at a link needs a
// minor version, below 1.0.0 a patch.
struct VersionVerdict {
  VersionStep needed{};
  VersionStep taken{};   // None for the same version
  bool suffices = true;  // of a pre-release and of an absent version nothing is asked
  std::string
      problem;  // "a breaking change in a patch version: 1.2.0 → 1.2.1, 2.0.0 is needed"; empty where it suffices
  std::string suggested;  // the lowest version that suffices; empty where it does
};
BOOST_DESCRIBE_STRUCT(VersionVerdict, (), (needed, taken, suffices, problem, suggested))

struct Verdict {
  Mode mode{};
  bool compatible = true;
  std::size_t breaking = 0;  // how many changes are not compatible under the mode
  VersionVerdict version;
};
BOOST_DESCRIBE_STRUCT(Verdict, (), (mode, compatible, breaking, version))

// Backward: the new side works with what was built for the old one; Forward: the old one with what is built for the new
// one; Full: both; None: anything goes. Of a contract, what is built are modules: they call what they import and
// implement what they export. Of a module, it is what surrounds it: it calls the module's exports and implements its
// imports.
[[nodiscard]] bool compatible(const Change& change, Subject subject, Mode mode);
[[nodiscard]] Verdict judge(const Comparison& comparison, Mode mode);

// Both as JSON: the verdict's members, what was compared, and the changes, each with whether it is `breaking`.
[[nodiscard]] json::value document_of(const Comparison& comparison, const Verdict& verdict);
// The comparison of such a document. kInvalid for anything else.
[[nodiscard]] Result<Comparison> comparison_from(const json::value& document);

}  // namespace hotswap::compat
