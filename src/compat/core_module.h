// Core modules: they have signatures and no interfaces, so that is what is compared. Pure and thread-safe.
#pragma once

#include <string>
#include <vector>

#include "compat/change.h"
#include "model/module_description.h"

namespace hotswap::compat {

struct CoreFunction {
  std::string name;                 // of an export or an interface's function "add", of an import "module#name"
  std::vector<std::string> params;  // "i32", "i64", …
  std::vector<std::string> results;
  std::string docs{};
};
BOOST_DESCRIBE_STRUCT(CoreFunction, (), (name, params, results, docs))

// Functions that a core module may import under one name.
struct CoreInterface {
  std::string module;  // "wasi_snapshot_preview1"
  std::vector<CoreFunction> functions;
};
BOOST_DESCRIBE_STRUCT(CoreInterface, (), (module, functions))

// What a world is for a core module, by the canonical ABI.
struct CoreWorld {
  std::vector<CoreFunction> imports;
  std::vector<CoreFunction> exports;
};
BOOST_DESCRIBE_STRUCT(CoreWorld, (), (imports, exports))

// "func(i32, i64) -> i32"
[[nodiscard]] std::string text_of(const CoreFunction& function);
// The same of a described import or export; "global mut i32", "memory 1 16" of what is no function.
[[nodiscard]] std::string text_of(const DescribedImport& item);
[[nodiscard]] std::string text_of(const DescribedExport& item);

// By name and signature. The sizes of an exported memory or table are the module's own affair and break nobody.
[[nodiscard]] Comparison compare_core(const ModuleDescription& old_module, const ModuleDescription& new_module);

// A module that became of another kind has nothing in common with what it was.
[[nodiscard]] Comparison kind_changed(std::string_view was, std::string_view is);

}  // namespace hotswap::compat
