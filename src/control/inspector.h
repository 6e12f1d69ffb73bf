// What the control plane asks about module bytes and WIT.
#pragma once

#include <string_view>
#include <vector>

#include "compat/core_module.h"
#include "compat/wit.h"
#include "compat/wit_source.h"
#include "model/module_description.h"

namespace hotswap::control {

// Describes module bytes and WIT; implemented over the engine by the program's wiring. Blocking, thread-safe.
class Inspector {
 public:
  virtual ~Inspector() = default;
  // kInvalid, with the offset, for bytes that are no module.
  virtual Result<ModuleDescription> describe(std::string_view bytes) = 0;
  [[nodiscard]] virtual const EngineOffers& offers() const = 0;

  // WIT: the first package is the main one, the others are what it may depend on; WASI's need not be given.
  virtual compat::WitResult<compat::Wit> parse(const std::vector<compat::WitPackage>& packages) = 0;
  // A component's imports and exports. kInvalid for anything else.
  virtual Result<compat::Wit> decode(std::string_view component) = 0;
  // What the world of the first package asks of core modules.
  virtual compat::WitResult<compat::CoreWorld> core_world(const std::vector<compat::WitPackage>& packages,
                                                          std::string_view world) = 0;
  // WASI as this build has it.
  [[nodiscard]] virtual const std::vector<compat::WasiPackage>& wasi_packages() const = 0;
  [[nodiscard]] virtual const std::vector<compat::CoreInterface>& preview1() const = 0;
};

}  // namespace hotswap::control
