#include "control/interfaces.h"

#include <fmt/format.h>

#include <algorithm>

#include "compat/compare.h"
#include "compat/pairing.h"
#include "control/approval_mail.h"

namespace hotswap::control {
namespace {

constexpr std::string_view kPlatformUser = "platform";
constexpr std::string_view kPreview1Version = "0.1.0";

std::string with_version(const std::string& path, const std::string& version) {
  return version.empty() ? path : path + '@' + version;
}

// What the package's text says of itself.
void name_from(const compat::Wit& wit, WasiInterface& interface) {
  const auto& package = wit.main_package();
  const auto colon = package.name.find(':');
  interface.packageNamespace = package.name.substr(0, colon);
  interface.name = package.name.substr(colon + 1);
  interface.version = package.version;
  interface.interfaceId = interface_id(interface.packageNamespace, interface.name, interface.version);
  const auto in_main = [&wit](const auto& item) { return item.package == wit.main && !item.name.empty(); };
  for (const auto& one : wit.interfaces) {
    if (in_main(one)) interface.interfaces.push_back(with_version(compat::path_of(wit, one), package.version));
  }
  for (const auto& one : wit.worlds) {
    if (in_main(one)) interface.worlds.push_back(with_version(compat::path_of(wit, one), package.version));
  }
  for (std::size_t i = 0; i < wit.packages.size(); ++i) {
    if (i != wit.main) interface.dependencies.push_back(compat::id_of(wit.packages[i]));
  }
  std::ranges::sort(interface.dependencies);
}

WasiInterface platform_interface(InterfaceText text, TimePoint now) {
  WasiInterface interface;
  interface.checksum = checksum_of(text);
  interface.text = std::move(text);
  interface.status = InterfaceStatus::Approved;
  interface.platform = true;
  interface.registeredAt = now;
  interface.registeredBy = kPlatformUser;
  interface.approvedAt = now;
  interface.approvedBy = kPlatformUser;
  return interface;
}

}  // namespace

bool Interfaces::needs_approval() const {
  return std::ranges::any_of(
      options_.regions, [](const RegionSetting& setting) { return setting.environment == Environment::production; });
}

Result<> Interfaces::recover() {
  const auto now = parts_.clock.now();
  std::vector<WasiInterface> all;
  for (const auto& package : parts_.inspector.wasi_packages()) {
    auto interface = platform_interface({.witDefinition = package.text, .files = {}, .functions = {}}, now);
    const auto wit = parts_.inspector.parse({{{package.path, package.text}}});
    if (!wit) return fail(ErrorKind::kInternal, package.path + ": " + wit.error().message);
    name_from(*wit, interface);
    all.push_back(std::move(interface));
  }
  for (const auto& module : parts_.inspector.preview1()) {
    InterfaceText text;
    for (const auto& function : module.functions) {
      text.functions.push_back(function.name + ": " + compat::text_of(function));
    }
    auto interface = platform_interface(std::move(text), now);
    interface.packageNamespace = "wasi";
    interface.name = module.module;
    interface.version = kPreview1Version;
    interface.interfaceId = interface_id(interface.packageNamespace, interface.name, interface.version);
    interface.description = fmt::format("WASI Preview 1: what core modules import as {}", module.module);
    all.push_back(std::move(interface));
  }
  return parts_.store.put_platform_interfaces(all);
}

Result<StoredInterface> Interfaces::find(const Principal& principal, const InterfaceId& id) {
  auto stored = parts_.store.interface(principal.tenant, package_id(id));
  if (!stored || package_id(id) == id) return stored;
  const auto has = [&id](const std::vector<std::string>& names) {
    return std::ranges::find(names, id.str()) != names.end();
  };
  if (has(stored->interface.interfaces) || has(stored->interface.worlds)) return stored;
  return fail(ErrorKind::kNotFound,
              fmt::format("{} has no interface or world {}", stored->interface.interfaceId.str(), id.str()));
}

// Against the latest version before it that is in force.
Result<std::optional<InterfaceBreak>> Interfaces::breaking(const TenantId& tenant, const WasiInterface& interface,
                                                           const compat::Wit& wit) {
  if (interface.compatibility == InterfaceCompatibility::None) return std::nullopt;
  HS_TRY(const auto known, parts_.store.all_interfaces(tenant));
  const WasiInterface* before = nullptr;
  for (const auto& one : known) {
    const bool earlier = one.packageNamespace == interface.packageNamespace && one.name == interface.name &&
                         in_force(one.status) && version_key(one.version) < version_key(interface.version);
    if (!earlier) continue;
    if (before == nullptr || version_key(before->version) < version_key(one.version)) before = &one;
  }
  if (before == nullptr) return std::nullopt;
  HS_TRY(const auto stored, parts_.store.interface(tenant, before->interfaceId));
  HS_TRY(const auto old, packages_.resolve(tenant, stored.interface));
  HS_TRY(const auto comparison, compat::compare(*old.wit, wit));
  const auto verdict = compat::judge(comparison, interface.compatibility);
  InterfaceBreak found{.against = before->interfaceId.str(),
                       .changes = verdict.breaking,
                       .problem = verdict.version.problem,
                       .suggestedVersion = verdict.version.suggested};
  if (!verdict.version.suffices) return found;
  // Nothing of one track links to another, so that nothing is owed there.
  if (verdict.compatible || !compat::same_track(before->version, interface.version)) return std::nullopt;
  found.problem = fmt::format("{} not compatible with {} as {} asks",
                              verdict.breaking == 1 ? "1 change is" : fmt::format("{} changes are", verdict.breaking),
                              found.against, enum_name(interface.compatibility));
  return found;
}

Result<WasiInterface> Interfaces::describe(const Principal& principal, const InterfaceRegistration& registration,
                                           const Resolved& resolved) {
  const std::string field = registration.witDefinition ? "witDefinition" : "files";
  WasiInterface interface;
  name_from(*resolved.wit, interface);
  if (interface.version.empty()) {
    const auto& name = resolved.wit->main_package().name;
    return fail_fields({{field, fmt::format("package {0} has no version: write `package {0}@1.0.0;`", name)}});
  }
  if (registration.interfaceId && *registration.interfaceId != interface.interfaceId.str()) {
    return fail_fields({{"interfaceId", fmt::format("is {}, but the text is that of {}", *registration.interfaceId,
                                                    interface.interfaceId.str())}});
  }
  HS_TRY(const auto known, parts_.store.all_interfaces(principal.tenant));
  for (const auto& one : known) {
    const bool taken = one.platform && one.packageNamespace == interface.packageNamespace && one.name == interface.name;
    if (!taken) continue;
    return fail(ErrorKind::kConflict, fmt::format("{}:{} is the platform's own, and so are all of its versions",
                                                  one.packageNamespace, one.name));
  }
  interface.text = {.witDefinition = registration.witDefinition, .files = registration.files, .functions = {}};
  interface.checksum = checksum_of(interface.text);
  interface.description = registration.description;
  interface.compatibility = registration.compatibility;
  interface.registeredAt = parts_.clock.now();
  interface.registeredBy = principal.user;
  HS_TRY(interface.breaking, breaking(principal.tenant, interface, *resolved.wit));
  return interface;
}

Result<AddedInterface> Interfaces::add(const Principal& principal, const InterfaceRegistration& registration) {
  if (auto errors = hotswap::validate(registration); !errors.empty()) return fail_fields(std::move(errors));
  HS_TRY(const auto resolved,
         packages_.resolve(
             principal.tenant,
             InterfaceText{.witDefinition = registration.witDefinition, .files = registration.files, .functions = {}}));
  HS_TRY(const auto interface, describe(principal, registration, resolved));
  return parts_.store.add_interface(principal.tenant, interface);
}

Result<WasiInterface> Interfaces::show(const Principal& principal, const InterfaceId& id) {
  HS_TRY(auto stored, find(principal, id));
  return std::move(stored.interface);
}

Result<WasiInterface> Interfaces::keep(const Principal& principal, StoredInterface stored, WasiInterface changed,
                                       const std::vector<Mail>& mails) {
  if (changed == stored.interface) return changed;
  stored.interface = changed;
  HS_CHECK(parts_.store.change_interface(principal.tenant, stored, mails));
  if (!mails.empty()) parts_.mailer.notify();
  return changed;
}

Result<WasiInterface> Interfaces::submit(const Principal& principal, const InterfaceId& id) {
  HS_TRY(auto stored, find(principal, id));
  HS_TRY(auto changed, submitted(stored.interface, principal, needs_approval(), parts_.clock.now()));
  if (changed == stored.interface) return changed;
  // What it depends on may have changed since it was registered, and so may what it comes after.
  HS_TRY(const auto now, validate(principal, id));
  if (!now.valid) return fail(ErrorKind::kConflict, "the interface is not valid as things stand", now.errors);
  changed.breaking = now.breaking;
  const bool waits = changed.status == InterfaceStatus::PendingApproval;
  const auto mails = waits ? asking(options_.mail, changed, parts_.clock.now()) : std::vector<Mail>();
  return keep(principal, std::move(stored), std::move(changed), mails);
}

Result<WasiInterface> Interfaces::approve(const Principal& principal, const InterfaceId& id) {
  HS_TRY(auto stored, find(principal, id));
  HS_TRY(auto changed, approved(stored.interface, principal, options_.single_user, parts_.clock.now()));
  const auto mails = decided(options_.mail, changed, parts_.clock.now());
  return keep(principal, std::move(stored), std::move(changed), mails);
}

Result<WasiInterface> Interfaces::reject(const Principal& principal, const InterfaceId& id,
                                         const InterfaceRejection& rejection) {
  if (auto errors = hotswap::validate(rejection); !errors.empty()) return fail_fields(std::move(errors));
  HS_TRY(auto stored, find(principal, id));
  HS_TRY(auto changed, rejected(stored.interface, principal, rejection.reason, parts_.clock.now()));
  const auto mails = decided(options_.mail, changed, parts_.clock.now());
  return keep(principal, std::move(stored), std::move(changed), mails);
}

Result<WasiInterface> Interfaces::deprecate(const Principal& principal, const InterfaceId& id,
                                            const InterfaceDeprecation& deprecation) {
  const auto now = parts_.clock.now();
  if (auto errors = hotswap::validate(deprecation, now); !errors.empty()) return fail_fields(std::move(errors));
  HS_TRY(auto stored, find(principal, id));
  HS_TRY(auto changed, deprecated(stored.interface, principal, deprecation, now));
  return keep(principal, std::move(stored), std::move(changed), {});
}

Result<InterfaceValidation> Interfaces::validate(const Principal& principal, const InterfaceId& id) {
  HS_TRY(const auto stored, find(principal, id));
  const auto& interface = stored.interface;
  InterfaceValidation validation;
  const auto broken = [&validation](std::string field, std::string message) {
    validation.valid = false;
    validation.errors.push_back({std::move(field), std::move(message)});
  };
  if (wit_files(interface.text).empty()) return validation;
  const auto resolved = packages_.resolve(principal.tenant, interface);
  if (!resolved) {
    if (resolved.error().fields.empty()) return std::unexpected(resolved.error());
    for (const auto& [field, message] : resolved.error().fields) broken(field, message);
    return validation;
  }
  HS_TRY(const auto known, parts_.store.all_interfaces(principal.tenant));
  for (const auto& dependency : interface.dependencies) {
    const auto one = std::ranges::find(known, InterfaceId(dependency), &WasiInterface::interfaceId);
    if (one == known.end()) continue;
    if (!in_force(one->status)) {
      broken("dependencies", fmt::format("{} is {}: it must be approved first", dependency, enum_name(one->status)));
    } else if (one->status == InterfaceStatus::Deprecated) {
      validation.warnings.push_back(deprecation_of(*one));
    }
  }
  if (!interface.platform) {
    HS_TRY(validation.breaking, breaking(principal.tenant, interface, *resolved->wit));
  }
  return validation;
}

Result<json::value> Interfaces::diff(const Principal& principal, const InterfaceId& from, const InterfaceId& to,
                                     std::optional<compat::Mode> mode) {
  HS_TRY(const auto before, find(principal, from));
  const auto after = find(principal, to);
  if (!after) return fail_fields({{"to", after.error().detail}});
  HS_TRY(const auto old_wit, packages_.resolve(principal.tenant, before.interface));
  HS_TRY(const auto new_wit, packages_.resolve(principal.tenant, after->interface));
  const auto& old_name = old_wit.wit->main_package().name;
  const auto& new_name = new_wit.wit->main_package().name;
  if (old_name != new_name) {
    return fail_fields({{"to", fmt::format("is another package: {} and {}; a package is compared with another version "
                                           "of itself",
                                           old_name, new_name)}});
  }
  HS_TRY(const auto comparison, compat::compare(*old_wit.wit, *new_wit.wit));
  return compat::document_of(comparison, compat::judge(comparison, mode.value_or(after->interface.compatibility)));
}

}  // namespace hotswap::control
