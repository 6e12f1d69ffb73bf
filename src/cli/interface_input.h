// What `hotswap interface` reads: WIT files and folders, components, core modules.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "compat/wit.h"
#include "model/module_description.h"
#include "sandbox/wasm/engine.h"
#include "sandbox/wasm/interfaces.h"

namespace hotswap::cli {

// One argument. Either `wit` (a package or a component) or `core` is there.
struct InterfaceInput {
  std::string path;
  std::vector<wasm::WitPackage> packages{};  // of a package: itself first, then what its folder holds in deps/
  std::shared_ptr<const compat::Wit> wit{};
  std::optional<ModuleDescription> core{};
};

// A .wit file, a folder of them with deps/, or a .wasm file: a component, a WIT package encoded as WebAssembly, or a
// core module. `more` are packages that a WIT package may depend on, too. What cannot be read or parsed is a wrong
// usage, so that a CI job can tell it from interfaces that do not fit.
[[nodiscard]] Outcome<InterfaceInput> read_interfaces(Context& context, const std::string& path,
                                                      const std::vector<wasm::WitPackage>& more = {});
// The packages of a .wit file or folder, without parsing.
[[nodiscard]] Outcome<std::vector<wasm::WitPackage>> read_packages(const std::string& path);

// For describing core modules and asking what can be imported; nothing runs on it.
[[nodiscard]] Outcome<std::unique_ptr<wasm::Engine>> describing_engine();

// "a.wit:3:5: expected …", the line, and a mark under the place.
[[nodiscard]] Failure failure_from(Context& context, const wasm::WitProblem& problem);

}  // namespace hotswap::cli
