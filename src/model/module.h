// An immutable version of a WebAssembly module (source 000, WasmModule; FR-WASM-001, 008, 009).
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "model/resource_limits.h"

namespace hotswap {

// Strict three-part semantic version: no leading zeros, no pre-release, each part below 2^31.
struct Version {
  std::int32_t major = 0;
  std::int32_t minor = 0;
  std::int32_t patch = 0;
  auto operator<=>(const Version&) const = default;
  [[nodiscard]] std::string str() const;
};
[[nodiscard]] Result<Version> parse_version(std::string_view text);

template <>
struct JsonCodec<Version> {
  static void read(const json::value& value, Version& out, JsonReader& reader);
  static json::value write(const Version& value) { return json::string(value.str()); }
};

template <>
struct JsonCodec<Digest> {
  static void read(const json::value& value, Digest& out, JsonReader& reader);
  static json::value write(const Digest& value) { return json::string(value.hex()); }
};

enum class WasiVersion { None, Preview1, Preview2, Preview3 };
BOOST_DESCRIBE_ENUM(WasiVersion, None, Preview1, Preview2, Preview3)

enum class ModuleKind { Core, Component };
BOOST_DESCRIBE_ENUM(ModuleKind, Core, Component)

enum class ModuleStatus { Active, Deprecated, Disabled };
BOOST_DESCRIBE_ENUM(ModuleStatus, Active, Deprecated, Disabled)

// Something that the scan at registration noticed and that does not stop the registration.
struct ScanFinding {
  std::string rule;     // "endless-export", "initial-memory", "capability"
  std::string subject;  // the export, memory or import
  std::string message;
  bool operator==(const ScanFinding&) const = default;
};
BOOST_DESCRIBE_STRUCT(ScanFinding, (), (rule, subject, message))

// As stored and as the API shows it.
struct Module {
  ModuleId moduleId;  // "{name}-v{major}.{minor}.{patch}", derived and never parsed
  std::string name;
  Version version;
  std::optional<std::string> description;
  std::string binaryPath;  // key of the binary in the blob store
  Digest checksum;         // SHA-256 of the binary
  std::uint64_t sizeBytes = 0;
  ModuleKind kind = ModuleKind::Core;
  WasiVersion wasiVersion = WasiVersion::None;
  std::optional<std::string> httpHandler;  // "0.2" or "0.3" where it exports wasi:http's handler
  bool command = false;                    // has _start or wasi:cli/run
  std::vector<std::string> requiredInterfaces;
  std::vector<std::string> exportedFunctions;
  std::vector<std::string> claims = {};  // registered interfaces and worlds that it implements
  std::vector<ScanFinding> findings;
  ResourceLimits limits;
  std::map<std::string, std::string> metadata;  // build information: Git commit, build time…
  std::vector<Region> allowedRegions;           // where it may run; empty = everywhere
  TimePoint registeredAt;
  std::string registeredBy;
  TimePoint updatedAt;
  ModuleStatus status = ModuleStatus::Active;
  std::int64_t deploymentCount = 0;
  std::int64_t invocationCount = 0;
  bool operator==(const Module&) const = default;
};
BOOST_DESCRIBE_STRUCT(Module, (),
                      (moduleId, name, version, description, binaryPath, checksum, sizeBytes, kind, wasiVersion,
                       httpHandler, command, requiredInterfaces, exportedFunctions, claims, findings, limits, metadata,
                       allowedRegions, registeredAt, registeredBy, updatedAt, status, deploymentCount, invocationCount))

[[nodiscard]] ModuleId module_id(std::string_view name, const Version& version);

// What a client states when it registers a module; the binary comes beside it. `version` is text so that a malformed
// one is listed together with every other failure.
struct ModuleRegistration {
  std::string name;
  std::string version;
  std::optional<std::string> description;
  ResourceLimits limits;
  std::map<std::string, std::string> metadata;
  std::vector<Region> allowedRegions;
  // Interfaces and worlds that it implements: "acme:shop/api@1.0.0".
  std::vector<std::string> claims = {};
};
BOOST_DESCRIBE_STRUCT(ModuleRegistration, (), (name, version, description, limits, metadata, allowedRegions, claims))

// Every rule that the registration breaks.
[[nodiscard]] std::vector<FieldError> validate(const ModuleRegistration& registration);

// PATCH: absent members stay as they are. `metadata` replaces the whole map.
struct ModulePatch {
  std::optional<ModuleStatus> status;
  std::optional<std::string> description;
  std::optional<std::map<std::string, std::string>> metadata;
};
BOOST_DESCRIBE_STRUCT(ModulePatch, (), (status, description, metadata))
[[nodiscard]] std::vector<FieldError> validate(const ModulePatch& patch);

// Retention (shared rule of FR-WASM-009): of one name's versions, those to remove so that the newest `keep` stay.
// A version that something refers to is never removed and does not count against `keep` unless it is among the newest.
struct RetentionCandidate {
  Version version;
  bool referenced = false;
};
[[nodiscard]] std::vector<Version> versions_to_remove(std::vector<RetentionCandidate> versions, std::size_t keep);

}  // namespace hotswap
