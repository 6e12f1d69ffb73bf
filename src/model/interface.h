// A registered version of a WIT package (source 000, WasiInterface; FR-WASM-005), and its way to approval.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "model/module.h"
#include "model/principal.h"

namespace hotswap {

using InterfaceId = Id<struct InterfaceTag>;

inline constexpr std::size_t kInterfacesPerTenant = 1'000;
inline constexpr std::size_t kInterfaceFiles = 64;
inline constexpr std::size_t kInterfacePathBytes = 256;
inline constexpr std::size_t kInterfaceReasonBytes = 4096;  // of a rejection, a deprecation and a guide, each

// What a new version owes to the one before it.
enum class InterfaceCompatibility { None, Backward, Forward, Full };
BOOST_DESCRIBE_ENUM(InterfaceCompatibility, None, Backward, Forward, Full)

enum class InterfaceStatus { Draft, PendingApproval, Approved, Rejected, Deprecated };
BOOST_DESCRIBE_ENUM(InterfaceStatus, Draft, PendingApproval, Approved, Rejected, Deprecated)

struct InterfaceFile {
  std::string path;  // names it in problems; nothing is read
  std::string text;
  bool operator==(const InterfaceFile&) const = default;
};
BOOST_DESCRIBE_STRUCT(InterfaceFile, (), (path, text))

// What a package says. WIT stands in witDefinition where it is one text, else in files; core functions have no WIT.
struct InterfaceText {
  std::optional<std::string> witDefinition;
  std::vector<InterfaceFile> files;
  std::vector<std::string> functions;  // "fd_write: func(i32, i32, i32, i32) -> i32"
  bool operator==(const InterfaceText&) const = default;
};
BOOST_DESCRIBE_STRUCT(InterfaceText, (), (witDefinition, files, functions))

// How a version stands to the one before it; present where that is not as promised.
struct InterfaceBreak {
  std::string against;           // the version before: "acme:shop@1.0.0"
  std::uint64_t changes = 0;     // that break, under the interface's compatibility
  std::string problem;           // "a breaking change in a minor version: 1.0.0 → 1.1.0; 2.0.0 is needed"
  std::string suggestedVersion;  // empty where the version is not the problem
  bool operator==(const InterfaceBreak&) const = default;
};
BOOST_DESCRIBE_STRUCT(InterfaceBreak, (), (against, changes, problem, suggestedVersion))

// As stored and as the API shows it; a list leaves `text` out.
struct WasiInterface {
  InterfaceId interfaceId;         // "acme:shop@1.0.0"
  std::string packageNamespace{};  // "acme"; in JSON, namespace
  std::string name{};              // "shop"
  std::string version{};           // semantic, as WIT has it
  InterfaceText text{};            // in JSON, its members
  Digest checksum{};               // of the text
  std::optional<std::string> description{};
  InterfaceCompatibility compatibility = InterfaceCompatibility::Backward;
  InterfaceStatus status = InterfaceStatus::Draft;
  std::vector<std::string> interfaces{};    // "acme:shop/api@1.0.0"
  std::vector<std::string> worlds{};        // "acme:shop/service@1.0.0"
  std::vector<std::string> dependencies{};  // packages, with what they depend on: "wasi:io@0.2.12"
  std::optional<InterfaceBreak> breaking{};
  bool platform = false;  // WASI, as this build has it: every tenant sees it, and nobody changes it
  TimePoint registeredAt{};
  std::string registeredBy{};
  std::optional<TimePoint> submittedAt{};
  std::optional<std::string> submittedBy{};
  std::optional<TimePoint> approvedAt{};
  std::optional<std::string> approvedBy{};
  std::optional<TimePoint> rejectedAt{};
  std::optional<std::string> rejectedBy{};
  std::optional<std::string> rejectionReason{};
  std::optional<TimePoint> deprecatedAt{};
  std::optional<std::string> deprecatedBy{};
  std::optional<std::string> deprecationReason{};
  std::optional<std::string> migrationGuide{};
  std::optional<TimePoint> sunsetAt{};  // when it is to be gone
  bool operator==(const WasiInterface&) const = default;
};
BOOST_DESCRIBE_STRUCT(WasiInterface, (),
                      (interfaceId, packageNamespace, name, version, text, checksum, description, compatibility, status,
                       interfaces, worlds, dependencies, breaking, platform, registeredAt, registeredBy, submittedAt,
                       submittedBy, approvedAt, approvedBy, rejectedAt, rejectedBy, rejectionReason, deprecatedAt,
                       deprecatedBy, deprecationReason, migrationGuide, sunsetAt))

template <>
struct JsonCodec<WasiInterface> {
  static void read(const json::value& value, WasiInterface& out, JsonReader& reader);
  static json::value write(const WasiInterface& value);
};

// What a client states when it registers a package; everything else stands in the text.
struct InterfaceRegistration {
  std::optional<std::string> witDefinition{};
  std::vector<InterfaceFile> files{};
  std::optional<std::string> interfaceId{};  // must be what the text says
  std::optional<std::string> description{};
  InterfaceCompatibility compatibility = InterfaceCompatibility::Backward;
};
BOOST_DESCRIBE_STRUCT(InterfaceRegistration, (), (witDefinition, files, interfaceId, description, compatibility))

// Every rule that the registration breaks, but for those of WIT.
[[nodiscard]] std::vector<FieldError> validate(const InterfaceRegistration& registration);

struct InterfaceRejection {
  std::string reason;
  static constexpr std::array<std::string_view, 1> kRequired{"reason"};
};
BOOST_DESCRIBE_STRUCT(InterfaceRejection, (), (reason))
[[nodiscard]] std::vector<FieldError> validate(const InterfaceRejection& rejection);

struct InterfaceDeprecation {
  std::string reason;
  std::optional<std::string> migrationGuide;  // a URL, or text
  std::optional<TimePoint> sunsetAt;
  static constexpr std::array<std::string_view, 1> kRequired{"reason"};
};
BOOST_DESCRIBE_STRUCT(InterfaceDeprecation, (), (reason, migrationGuide, sunsetAt))
[[nodiscard]] std::vector<FieldError> validate(const InterfaceDeprecation& deprecation, TimePoint now);

// "acme:shop@1.0.0"
[[nodiscard]] InterfaceId interface_id(std::string_view package_namespace, std::string_view name,
                                       std::string_view version);
// The package of an interface or world: "acme:shop@1.0.0" of "acme:shop/api@1.0.0", as source 000 writes ids.
[[nodiscard]] InterfaceId package_id(const InterfaceId& id);
// The WIT texts, one or several.
[[nodiscard]] std::vector<InterfaceFile> wit_files(const InterfaceText& text);
// The same for the same texts, whatever their files are called.
[[nodiscard]] Digest checksum_of(const InterfaceText& text);
// Of one that is Deprecated: "acme:base@1.0.0 is deprecated: too small; see https://acme.example/2"
[[nodiscard]] std::string deprecation_of(const WasiInterface& interface);
// Orders versions as text: semantic, a pre-release before its release.
[[nodiscard]] std::string version_key(std::string_view version);

// Modules may be held against it, and other packages may be approved that depend on it.
[[nodiscard]] constexpr bool in_force(InterfaceStatus status) {
  return status == InterfaceStatus::Approved || status == InterfaceStatus::Deprecated;
}

// ---- the way to approval. Each is idempotent: what is done already comes back unchanged. kConflict says what can be
// done in the status that it is in.

// Draft or rejected → PendingApproval; where the registry needs no approval, Approved at once.
[[nodiscard]] Result<WasiInterface> submitted(WasiInterface interface, const Principal& by, bool needs_approval,
                                              TimePoint now);
[[nodiscard]] Result<WasiInterface> approved(WasiInterface interface, const Principal& by, bool single_user,
                                             TimePoint now);
[[nodiscard]] Result<WasiInterface> rejected(WasiInterface interface, const Principal& by, std::string reason,
                                             TimePoint now);
// Said again, it replaces what was said before.
[[nodiscard]] Result<WasiInterface> deprecated(WasiInterface interface, const Principal& by,
                                               InterfaceDeprecation deprecation, TimePoint now);

}  // namespace hotswap
