#include "model/module_description.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/limits.h"

namespace hotswap {
namespace {

constexpr std::array<std::pair<std::string_view, WasiVersion>, 4> kWasiVersions{{{"none", WasiVersion::None},
                                                                                 {"preview1", WasiVersion::Preview1},
                                                                                 {"0.2", WasiVersion::Preview2},
                                                                                 {"0.3", WasiVersion::Preview3}}};

std::vector<std::string> imports_not_offered(const ModuleDescription& description, const EngineOffers& offers) {
  const bool component = description.kind == "component";
  std::set<std::string, std::less<>> offered;
  for (const auto& name : component ? offers.component : offers.core) {
    offered.insert(component ? interface_track(name) : name);
  }
  std::vector<std::string> missing;
  for (const auto& import : description.imports) {
    // A type that a component imports is an alias into an interface that it imports as well.
    if (component && import.kind == "type") continue;
    if (!offered.contains(component ? interface_track(import.name) : import.name)) missing.push_back(import.name);
  }
  return missing;
}

// Imports by interface: a component's as they are, a core module's by the module that they come from.
std::vector<std::string> required_interfaces(const ModuleDescription& description) {
  std::vector<std::string> names;
  for (const auto& import : description.imports) {
    std::string name = description.kind == "component" ? import.name : import.name.substr(0, import.name.find('#'));
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

bool begins_with_any(std::string_view name, std::initializer_list<std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [name](std::string_view prefix) { return name.starts_with(prefix); });
}

bool needs_network(std::string_view import) {
  return begins_with_any(import, {"wasi:sockets/", "wasi:http/outgoing-handler", "wasi:http/client",
                                  "wasi:http/handler", "wasi_snapshot_preview1#sock_"});
}

bool needs_filesystem(std::string_view import) {
  return begins_with_any(import, {"wasi:filesystem/", "wasi_snapshot_preview1#path_"});
}

void scan_imports(const ModuleDescription& description, const ResourceLimits& limits, std::vector<ScanFinding>& out) {
  for (const auto& import : description.imports) {
    if (limits.networkAccess == NetworkAccess::Disabled && needs_network(import.name)) {
      out.push_back({"capability", import.name,
                     "imports the network, which limits.networkAccess Disabled does not grant: such calls will fail"});
    }
    if (limits.filesystemAccess == FilesystemAccess::Disabled && needs_filesystem(import.name)) {
      out.push_back(
          {"capability", import.name,
           "imports the filesystem, which limits.filesystemAccess Disabled does not grant: such calls will fail"});
    }
  }
}

void scan_memories(const ModuleDescription& description, const ResourceLimits& limits, std::vector<ScanFinding>& out) {
  const auto most = static_cast<std::uint64_t>(limits.maxMemoryMB) * limits::kMiB;
  std::uint64_t total = 0;
  bool one_is_above = false;
  const auto report = [&](std::string subject, std::uint64_t bytes) {
    out.push_back({"initial-memory", std::move(subject),
                   fmt::format("begins with {} bytes, above the {} MB of limits.maxMemoryMB: every call will end with "
                               "OutOfMemory",
                               bytes, limits.maxMemoryMB)});
  };
  for (std::size_t i = 0; i < description.memories.size(); ++i) {
    const std::uint64_t bytes = description.memories[i].initialBytes;
    total += bytes;
    if (bytes <= most) continue;
    one_is_above = true;
    report(fmt::format("memory {}", i), bytes);
  }
  if (total > most && !one_is_above) report("all memories", total);
}

std::vector<ScanFinding> scan(const ModuleDescription& description, const ResourceLimits& limits) {
  std::vector<ScanFinding> findings;
  findings.reserve(description.endlessExports.size());
  for (const auto& name : description.endlessExports) {
    findings.push_back(
        {"endless-export", name, "is a loop without an end: every call of it will last until the time limit"});
  }
  scan_memories(description, limits, findings);
  scan_imports(description, limits, findings);
  return findings;
}

Result<> check_imports(const ModuleDescription& description, const EngineOffers& offers, bool wasi03) {
  const bool needs_wasi03 = description.wasi == "0.3" || description.http == "0.3";
  if (needs_wasi03 && !wasi03) {
    std::string message =
        "the module needs WASI 0.3, which is experimental and which this server does not accept; start it with "
        "--wasi03";
    return fail(ErrorKind::kUnprocessable, message, {{"binary", message}});
  }
  const auto missing = imports_not_offered(description, offers);
  if (missing.empty()) return {};
  std::vector<FieldError> errors;
  std::string list;
  for (const auto& name : missing) {
    errors.push_back({"binary", fmt::format("imports {}, which no node offers", name)});
    list += list.empty() ? name : ", " + name;
  }
  return fail(ErrorKind::kUnprocessable, "the module imports what no node offers: " + list, std::move(errors));
}

}  // namespace

std::string interface_track(std::string_view name) {
  const auto at = name.rfind('@');
  if (at == std::string_view::npos || name.find('-', at) != std::string_view::npos) return std::string(name);
  const std::string_view version = name.substr(at + 1);
  const auto first_dot = version.find('.');
  if (first_dot == std::string_view::npos) return std::string(name);
  const auto second_dot = version.find('.', first_dot + 1);
  if (second_dot == std::string_view::npos) return std::string(name);
  const std::string_view major = version.substr(0, first_dot);
  const std::string_view minor = version.substr(first_dot + 1, second_dot - first_dot - 1);
  if (major != "0") return fmt::format("{}@{}", name.substr(0, at), major);
  if (minor != "0") return fmt::format("{}@0.{}", name.substr(0, at), minor);
  return std::string(name);
}

Result<> apply_description(const ModuleDescription& description, const EngineOffers& offers, bool wasi03,
                           Module& module) {
  const auto wasi = std::ranges::find(kWasiVersions, description.wasi, &decltype(kWasiVersions)::value_type::first);
  if (wasi == kWasiVersions.end()) {
    return fail(ErrorKind::kInternal,
                fmt::format("the engine described an unknown WASI version \"{}\"", description.wasi));
  }
  HS_CHECK(check_imports(description, offers, wasi03));
  module.kind = description.kind == "component" ? ModuleKind::Component : ModuleKind::Core;
  module.wasiVersion = wasi->second;
  module.httpHandler = description.http;
  module.command = description.command;
  module.requiredInterfaces = required_interfaces(description);
  module.exportedFunctions.clear();
  for (const auto& exported : description.exports) {
    if (exported.kind == "func") module.exportedFunctions.push_back(exported.name);
  }
  module.findings = scan(description, module.limits);
  return {};
}

}  // namespace hotswap
