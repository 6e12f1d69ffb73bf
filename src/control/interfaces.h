// The interface registry: WIT packages, their way to approval, what changed between them, and modules held against
// them.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "blobs/blobs.h"
#include "compat/verdict.h"
#include "control/interface_packages.h"
#include "control/mailer.h"
#include "control/settings.h"
#include "model/deployment.h"
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
    Mailer& mailer;
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
  // is what that world asks for, or exports that interface.
  Result<compat::Conformance> check(const Principal& principal, std::string_view binary,
                                    const std::optional<std::string>& world);
  Result<compat::Conformance> check(const Principal& principal, const ModuleId& module,
                                    const std::optional<std::string>& world);

  // The interfaces in force beside WASI, by their names: a component may import them.
  Result<std::vector<std::string>> importable(const TenantId& tenant);
  // The gate of a module's registration: what it imports has the types that are offered, what it exports of the
  // interfaces in force is what they say, and it is what it claims to be. kUnprocessable with every item that differs.
  // Otherwise findings: what is deprecated, with what to do instead, and what only some nodes may offer.
  Result<std::vector<ScanFinding>> admit(const Principal& principal, std::string_view binary,
                                         const std::vector<std::string>& claims);
  // What a registered module uses that is deprecated now.
  Result<std::vector<DeploymentWarning>> deprecated_uses(const TenantId& tenant, const Module& module);

  // The gate of a deployment: what breaks those who call `before` when `after` takes its place.
  Result<std::vector<compat::Change>> broken_callers(const TenantId& tenant, const ModuleId& before,
                                                     const ModuleId& after);

  // Interfaces that need an Admin before they are in force.
  [[nodiscard]] bool needs_approval() const;

 private:
  // What modules are held against: decoded, or described where they are core modules.
  struct Subject {
    std::optional<compat::Wit> component;
    ModuleDescription core;
  };
  // A world that a module is to implement; of an interface, one that exports it alone.
  struct Claimed {
    std::string id;
    std::string path;   // what `wit` calls it
    std::string world;  // of the main package of `packages`
    std::shared_ptr<const compat::Wit> wit;
    std::vector<compat::WitPackage> packages;
    std::uint32_t index = 0;
  };
  Result<Subject> read(std::string_view binary);
  // The same of a stored one; the latest stay in memory, since nothing of them ever changes.
  Result<std::shared_ptr<const Subject>> subject(const Digest& digest);
  Result<Claimed> claimed(const Principal& principal, const std::string& id, bool must_be_in_force);
  Result<compat::Conformance> hold(const Subject& subject, const compat::Offers& offers, const Claimed* claim);
  Result<compat::Conformance> check(const Principal& principal, const Subject& subject,
                                    const std::optional<std::string>& world);

  Result<StoredInterface> find(const Principal& principal, const InterfaceId& id);
  // With the mails that tell of the change.
  Result<WasiInterface> keep(const Principal& principal, StoredInterface stored, WasiInterface changed,
                             const std::vector<Mail>& mails);
  Result<WasiInterface> describe(const Principal& principal, const InterfaceRegistration& registration,
                                 const Resolved& resolved);
  Result<std::optional<InterfaceBreak>> breaking(const TenantId& tenant, const WasiInterface& interface,
                                                 const compat::Wit& wit);

  const Options& options_;
  Parts parts_;
  InterfacePackages packages_;
  std::mutex mutex_;
  std::list<std::pair<Digest, std::shared_ptr<const Subject>>> subjects_;  // the one used last is the first
};

}  // namespace hotswap::control
