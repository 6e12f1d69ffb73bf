// What a module's bytes say about it, and what follows for its registration.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/module.h"

namespace hotswap {

struct DescribedParam {
  std::optional<std::string> name;
  std::string type;
};
BOOST_DESCRIBE_STRUCT(DescribedParam, (), (name, type))

struct DescribedImport {
  std::string name;  // core: "module#name"; component: "ns:pkg/iface@version"
  std::string kind;  // "func", "memory", "instance", …
  // Of a core module, as DescribedExport has them; a component's stand in its interfaces.
  std::vector<DescribedParam> params{};
  std::vector<std::string> results{};
  std::string type{};
};
BOOST_DESCRIBE_STRUCT(DescribedImport, (), (name, kind, params, results, type))

struct DescribedExport {
  std::string name;  // "fn" or "ns:pkg/iface@version#fn"
  std::string kind;
  std::vector<DescribedParam> params;
  std::vector<std::string> results;
  std::string type{};  // of a core global, memory or table: "mut i32", "1 16", "4 funcref"
};
BOOST_DESCRIBE_STRUCT(DescribedExport, (), (name, kind, params, results, type))

struct DescribedMemory {
  std::uint64_t initialBytes = 0;
  std::optional<std::uint64_t> maximumBytes;
};
BOOST_DESCRIBE_STRUCT(DescribedMemory, (), (initialBytes, maximumBytes))

struct DescribedSection {
  std::string name;
  std::uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(DescribedSection, (), (name, bytes))

// The document of eng_describe.
struct ModuleDescription {
  std::string kind;  // "core" or "component"
  std::string wasi;  // "none", "preview1", "0.2", "0.3"
  std::optional<std::string> http;
  bool command = false;
  std::vector<DescribedImport> imports;
  std::vector<DescribedExport> exports;
  std::vector<DescribedMemory> memories;
  std::vector<DescribedSection> customSections;
  std::vector<std::string> endlessExports;
};
BOOST_DESCRIBE_STRUCT(ModuleDescription, (),
                      (kind, wasi, http, command, imports, exports, memories, customSections, endlessExports))

// The document of eng_offers: every import that a node can satisfy.
struct EngineOffers {
  std::vector<std::string> core;
  std::vector<std::string> component;
};
BOOST_DESCRIBE_STRUCT(EngineOffers, (), (core, component))

// "wasi:io/streams@0.2.12" and every version of its compatibility track become "wasi:io/streams@0.2"; from 1 on, the
// major alone counts. Without a version, or with one below 0.1 or a pre-release, the name itself.
[[nodiscard]] std::string interface_track(std::string_view name);

// Fills what the bytes say (kind, wasiVersion, httpHandler, command, requiredInterfaces, exportedFunctions, findings)
// into `module`, whose limits are set already. Fails with every import that `offers` lacks; an interface of the same
// name on the same compatibility track (same major; below 1 the same minor) counts as offered, as the linker has it.
// `wasi03` says whether this server accepts WASI 0.3 at all.
[[nodiscard]] Result<> apply_description(const ModuleDescription& description, const EngineOffers& offers, bool wasi03,
                                         Module& module);

}  // namespace hotswap
