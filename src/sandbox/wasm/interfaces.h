// WIT through the bridge: texts and components become values that src/compat/ compares. Thread-safe; every call takes
// milliseconds, so none belongs on an I/O thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "compat/core_module.h"
#include "compat/wit.h"
#include "compat/wit_source.h"

namespace hotswap::wasm {

using compat::WasiPackage;
using compat::WitFile;
using compat::WitPackage;
using compat::WitProblem;
using compat::WitResult;

// kInvalid: "acme.wit:3:5: expected …", with the line and a mark under the place; the field is the file.
[[nodiscard]] Error to_error(const WitProblem& problem);

// The resolved description as JSON, with documentation (see eng_wit_parse). The first package is the main one, the
// others are what it may depend on; WASI's packages need not be given.
[[nodiscard]] WitResult<std::string> describe_wit(const std::vector<WitPackage>& packages);
[[nodiscard]] WitResult<compat::Wit> parse_wit(const std::vector<WitPackage>& packages);

// A component's imports and exports, or a WIT package encoded as WebAssembly. kInvalid for anything else.
[[nodiscard]] Result<std::string> describe_interfaces(std::string_view binary);
[[nodiscard]] Result<compat::Wit> decode_wit(std::string_view binary);

// wit-component's own judgement whether what was made for `world` of the old main package fits the new one's, versions
// left aside.
struct SemverCheck {
  std::optional<bool> compatible;  // absent where the check cannot be made
  std::string reason;
};
[[nodiscard]] WitResult<SemverCheck> semver_check(const std::vector<WitPackage>& old_packages,
                                                  const std::vector<WitPackage>& new_packages, std::string_view world);

// WASI 0.2 and 0.3 as this build links them.
[[nodiscard]] const std::vector<WasiPackage>& wasi_packages();

// The same, parsed: one for each package, with the others that it depends on.
[[nodiscard]] const std::vector<std::shared_ptr<const compat::Wit>>& wasi_wits();

// Preview 1 (and the snapshot before it), which has no WIT: core functions by their signatures.
[[nodiscard]] const std::vector<compat::CoreInterface>& preview1();

// What a world asks of core modules.
[[nodiscard]] WitResult<compat::CoreWorld> core_world(const std::vector<WitPackage>& packages, std::string_view world);

}  // namespace hotswap::wasm
