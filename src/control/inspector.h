// What the control plane asks about module bytes.
#pragma once

#include <string_view>

#include "model/module_description.h"

namespace hotswap::control {

// Describes module bytes; implemented over the engine by the program's wiring. Blocking, thread-safe.
class Inspector {
 public:
  virtual ~Inspector() = default;
  // kInvalid, with the offset, for bytes that are no module.
  virtual Result<ModuleDescription> describe(std::string_view bytes) = 0;
  [[nodiscard]] virtual const EngineOffers& offers() const = 0;
};

}  // namespace hotswap::control
