// The interface registry: WIT packages, their way to approval, what changed between them, and modules held against
// them.
#pragma once

#include "blobs/blobs.h"
#include "compat/verdict.h"
#include "control/interface_packages.h"
#include "control/settings.h"
#include "model/interface.h"

namespace hotswap::control {

// What `validate` finds of a registered interface as things stand now.
struct InterfaceValidation {
  bool valid = true;
  std::vector<FieldError> errors;            // of its text, and of what it depends on
  std::vector<std::string> warnings;         // deprecated dependencies
  std::optional<InterfaceBreak> breaking{};  // against the version before it that is in force now
};

// Every method blocks and may be called from any thread. Ids may also name an interface or world of a package
// ("acme:shop/api@1.0.0").
class Interfaces {
 public:
  struct Parts {
    Store& store;
    BlobStore& blobs;
    Inspector& inspector;
    const Clock& clock;
  };
  Interfaces(const Options& options, Parts parts)
      : options_(options), parts_(parts), packages_(parts.store, parts.inspector) {}

  // At start: the platform's own interfaces, as this build has them.
  Result<> recover();

  // A Draft. kInvalid with every broken rule; kConflict for another text under an id that was submitted.
  Result<AddedInterface> add(const Principal& principal, const InterfaceRegistration& registration);
  Result<WasiInterface> show(const Principal& principal, const InterfaceId& id);
  // What it depends on must be in force.
  Result<WasiInterface> submit(const Principal& principal, const InterfaceId& id);
  Result<WasiInterface> approve(const Principal& principal, const InterfaceId& id);
  Result<WasiInterface> reject(const Principal& principal, const InterfaceId& id, const InterfaceRejection& rejection);
  Result<WasiInterface> deprecate(const Principal& principal, const InterfaceId& id,
                                  const InterfaceDeprecation& deprecation);
  Result<InterfaceValidation> validate(const Principal& principal, const InterfaceId& id);
  // compat::document_of. Under `mode`, else under the newer one's compatibility.
  Result<json::value> diff(const Principal& principal, const InterfaceId& from, const InterfaceId& to,
                           std::optional<compat::Mode> mode);
  // Whether a module's imports are there, and its exports are what the registry says of them; with `world`, whether it
  // is what that world asks for.
  Result<compat::Conformance> check(const Principal& principal, std::string_view binary,
                                    const std::optional<std::string>& world);
  Result<compat::Conformance> check(const Principal& principal, const ModuleId& module,
                                    const std::optional<std::string>& world);

  // The gate of a module's registration: what it imports has the types that are offered, and what it exports of the
  // interfaces in force is what they say. kUnprocessable with every item that differs. Otherwise findings: what is
  // deprecated, with what to do instead.
  Result<std::vector<ScanFinding>> admit(const Principal& principal, std::string_view binary);

  // The gate of a deployment: what breaks those who call `before` when `after` takes its place.
  Result<std::vector<compat::Change>> broken_callers(const TenantId& tenant, const ModuleId& before,
                                                     const ModuleId& after);

  // Interfaces that need an Admin before they are in force.
  [[nodiscard]] bool needs_approval() const;

 private:
  Result<StoredInterface> find(const Principal& principal, const InterfaceId& id);
  Result<WasiInterface> keep(const Principal& principal, StoredInterface stored, WasiInterface changed);
  Result<WasiInterface> describe(const Principal& principal, const InterfaceRegistration& registration,
                                 const Resolved& resolved);
  Result<std::optional<InterfaceBreak>> breaking(const TenantId& tenant, const WasiInterface& interface,
                                                 const compat::Wit& wit);

  const Options& options_;
  Parts parts_;
  InterfacePackages packages_;
};

}  // namespace hotswap::control
