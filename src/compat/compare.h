// The structural comparison of two packages, worlds or components: the whole list of changes. Pure and thread-safe.
//
// Types must match exactly. The component model leaves subtyping open, and what links components (Wasmtime, and
// wasmparser behind it) asks for equal structure: names of parameters, fields and cases, their order and their types.
// So a changed type breaks both ends of every link that carries it, whichever of them makes the value and whichever
// reads it. Only the set of items may differ: who implements more than its caller knows still fits.
#pragma once

#include <string>

#include "compat/change.h"
#include "compat/wit.h"

namespace hotswap::compat {

// The main packages with their worlds and whatever these carry from other packages; or two components, as imports and
// exports. Packages of different names have nothing in common.
// kInvalid for a package against a component.
[[nodiscard]] Result<Comparison> compare(const Wit& old_wit, const Wit& new_wit);

// One world of each side, with all that it imports and exports.
[[nodiscard]] Comparison compare_worlds(const Wit& old_wit, std::uint32_t old_world, const Wit& new_wit,
                                        std::uint32_t new_world);

// One interface of each side; `modules` says which end of it modules are.
[[nodiscard]] std::vector<Change> compare_interfaces(const Wit& old_wit, std::uint32_t old_interface,
                                                     const Wit& new_wit, std::uint32_t new_interface,
                                                     ModulesDo modules);

}  // namespace hotswap::compat
