// Registered WIT packages, parsed together with the registered packages that they depend on.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "compat/conformance.h"
#include "control/inspector.h"
#include "store/store.h"

namespace hotswap::control {

// WIT with whatever it needs of the registry.
struct Resolved {
  std::shared_ptr<const compat::Wit> wit;
  std::vector<compat::WitPackage> packages;  // the package itself, then what it depends on but for WASI's
};

// Blocking; may be called from any thread.
class InterfacePackages {
 public:
  InterfacePackages(Store& store, Inspector& inspector) : store_(store), inspector_(inspector) {}

  // kInvalid, naming the field of the registration, with line, column and the offending line.
  Result<Resolved> resolve(const TenantId& tenant, const InterfaceText& text);
  // The same of a registered one. kUnprocessable where it has no WIT (core functions).
  Result<Resolved> resolve(const TenantId& tenant, const WasiInterface& interface);

  // What modules of the tenant may import: WASI as this build links it, and the interfaces that are in force.
  Result<compat::Offers> offers(const TenantId& tenant);

 private:
  // Registered packages that the texts may mean, with what those may mean in turn.
  Result<std::vector<compat::WitPackage>> mentioned(const TenantId& tenant, const std::vector<InterfaceFile>& files);
  const std::vector<std::shared_ptr<const compat::Wit>>& wasi();

  Store& store_;
  Inspector& inspector_;
  std::once_flag wasi_once_;
  std::vector<std::shared_ptr<const compat::Wit>> wasi_;
  std::mutex mutex_;
  // By tenant, id and text: what is in force stays as it is, and so does what it depends on.
  std::map<std::string, std::shared_ptr<const compat::Wit>> parsed_;
};

}  // namespace hotswap::control
