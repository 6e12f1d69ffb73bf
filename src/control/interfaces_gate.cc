// Modules held against interfaces: when they are checked, registered and deployed.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compat/compare.h"
#include "compat/pairing.h"
#include "control/interfaces.h"

namespace hotswap::control {
namespace {

constexpr std::string_view kComponentMagic("\0asm\x0d\0\x01\0", 8);
constexpr std::string_view kClaimPackage = "hotswap:claim";
constexpr std::string_view kClaimWorld = "claim";
constexpr std::string_view kImport = "import";
constexpr std::string_view kExport = "export";
constexpr std::size_t kSubjectsKept = 64;  // decoded modules

bool is_component(std::string_view binary) { return binary.starts_with(kComponentMagic); }

// "export acme:shop/api@1.0.0 is not as acme:shop@1.0.0 has it: api.find: was func() -> u32, is func()"
std::string difference(const compat::CheckedItem& item, std::string_view role) {
  std::string text = fmt::format("{} {}", role, item.name);
  text += item.by.empty() ? " does not fit" : fmt::format(" is not as {} has it", item.by);
  if (!item.detail.empty()) text += ": " + item.detail;
  for (const auto& change : item.changes) {
    text += fmt::format("; {}: {}, where {} is meant", change.path, change.is.empty() ? "nothing" : change.is,
                        change.was.empty() ? "nothing" : change.was);
  }
  return text;
}

// Without its version: "acme:shop/service".
std::string path_without_version(const std::string& id) { return id.substr(0, id.find('@')); }

bool misfit(const compat::CheckedItem& item) {
  return item.fit == compat::Fit::Differs || item.fit == compat::Fit::Missing;
}

// The registered package that is meant by the name of an interface or world, and what the name is there: its own
// version, else the highest on the same track that is in force.
struct Used {
  const WasiInterface* interface = nullptr;
  std::string name;
};
std::optional<Used> in_use(const std::vector<WasiInterface>& known, const std::string& name) {
  const auto at = name.find('@');
  if (at == std::string::npos) return std::nullopt;
  const std::string version = name.substr(at + 1);
  std::optional<Used> best;
  for (const auto& one : known) {
    if (!in_force(one.status) || !compat::same_track(one.version, version)) continue;
    const std::string here = name.substr(0, at + 1) + one.version;
    const auto has = [&here](const std::vector<std::string>& names) {
      return std::ranges::find(names, here) != names.end();
    };
    if (!has(one.interfaces) && !has(one.worlds)) continue;
    if (one.version == version) return Used{.interface = &one, .name = here};
    const bool higher = !best || version_key(best->interface->version) < version_key(one.version);
    if (higher) best = Used{.interface = &one, .name = here};
  }
  return best;
}

// What was made up so that an interface is claimed as a world is: by the name that was claimed.
void name_claim(compat::Conformance& conformance, const std::string& path, const std::string& id) {
  const auto rename = [&](std::vector<compat::CheckedItem>& items) {
    for (auto& item : items) {
      if (item.name == path) item.name = id;
      if (item.by == path) item.by = id;
      for (auto& change : item.changes) {
        if (change.path.starts_with(path)) change.path.replace(0, path.size(), path_without_version(id));
      }
    }
  };
  rename(conformance.imports);
  rename(conformance.exports);
}

}  // namespace

Result<Interfaces::Subject> Interfaces::read(std::string_view binary) {
  Subject subject;
  if (is_component(binary)) {
    HS_TRY(subject.component, parts_.inspector.decode(binary));
  } else {
    HS_TRY(subject.core, parts_.inspector.describe(binary));
  }
  return subject;
}

Result<std::shared_ptr<const Interfaces::Subject>> Interfaces::subject(const Digest& digest) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(subjects_, digest, &decltype(subjects_)::value_type::first);
    if (known != subjects_.end()) {
      subjects_.splice(subjects_.begin(), subjects_, known);
      return subjects_.front().second;
    }
  }
  HS_TRY(const auto binary, parts_.blobs.get(digest));
  HS_TRY(auto made, read(binary));
  auto subject = std::make_shared<const Subject>(std::move(made));
  const std::lock_guard lock(mutex_);
  subjects_.emplace_front(digest, subject);
  if (subjects_.size() > kSubjectsKept) subjects_.pop_back();
  return subject;
}

// Of WASI, which has one version of each track here, any version of the track may be claimed.
Result<Interfaces::Claimed> Interfaces::claimed(const Principal& principal, const std::string& id,
                                                bool must_be_in_force) {
  auto stored = find(principal, InterfaceId(id));
  std::string name = id;
  if (!stored) {
    HS_TRY(const auto known, parts_.store.all_interfaces(principal.tenant));
    const auto used = in_use(known, id);
    if (!used || !used->interface->platform) return std::unexpected(stored.error());
    stored = parts_.store.interface(principal.tenant, used->interface->interfaceId);
    if (!stored) return std::unexpected(stored.error());
    name = used->name;
  }
  const WasiInterface& interface = stored->interface;
  if (must_be_in_force && !in_force(interface.status)) {
    return fail(ErrorKind::kUnprocessable, fmt::format("{} is {}: it must be approved first",
                                                       interface.interfaceId.str(), enum_name(interface.status)));
  }
  HS_TRY(auto resolved, packages_.resolve(principal.tenant, interface));
  Claimed claim{.id = id, .path = path_without_version(name), .world = {}, .wit = {}, .packages = {}};
  if (std::ranges::find(interface.interfaces, name) != interface.interfaces.end()) {
    // Its name stands in the registry, so that nothing but a name comes into this text.
    const std::string text = fmt::format("package {};\nworld {} {{ export {}; }}\n", kClaimPackage, kClaimWorld, name);
    claim.packages.push_back({{"claim.wit", text}});
    if (!interface.platform) {
      claim.packages.insert(claim.packages.end(), resolved.packages.begin(), resolved.packages.end());
    }
    auto wit = parts_.inspector.parse(claim.packages);
    if (!wit) return fail(ErrorKind::kUnprocessable, fmt::format("{}: {}", id, wit.error().message));
    claim.wit = std::make_shared<const compat::Wit>(*std::move(wit));
    claim.path = fmt::format("{}/{}", kClaimPackage, kClaimWorld);
  } else {
    claim.wit = resolved.wit;
    claim.packages = std::move(resolved.packages);
  }
  HS_TRY(claim.index, compat::find_world(*claim.wit, claim.path));
  claim.world = claim.wit->worlds[claim.index].name;
  return claim;
}

Result<compat::Conformance> Interfaces::hold(const Subject& subject, const compat::Offers& offers,
                                             const Claimed* claim) {
  if (subject.component) {
    std::optional<compat::Claim> world;
    if (claim != nullptr) world.emplace(*claim->wit, claim->index);
    auto conformance = compat::check_component(*subject.component, offers, world);
    if (claim != nullptr) name_claim(conformance, claim->path, claim->id);
    return conformance;
  }
  std::optional<compat::CoreWorld> world;
  if (claim != nullptr) {
    auto functions = parts_.inspector.core_world(claim->packages, claim->world);
    if (!functions) return fail(ErrorKind::kUnprocessable, functions.error().message);
    world = *std::move(functions);
  }
  return compat::check_core(subject.core, offers, world);
}

Result<compat::Conformance> Interfaces::check(const Principal& principal, const Subject& subject,
                                              const std::optional<std::string>& world) {
  HS_TRY(const auto offers, packages_.offers(principal.tenant));
  if (!world) return hold(subject, offers, nullptr);
  const auto claim = claimed(principal, *world, false);
  if (!claim) return fail_fields({{"world", claim.error().detail}});
  return hold(subject, offers, &*claim);
}

Result<compat::Conformance> Interfaces::check(const Principal& principal, std::string_view binary,
                                              const std::optional<std::string>& world) {
  HS_TRY(const auto subject, read(binary));
  return check(principal, subject, world);
}

Result<compat::Conformance> Interfaces::check(const Principal& principal, const ModuleId& module,
                                              const std::optional<std::string>& world) {
  HS_TRY(const auto stored, parts_.store.module(principal.tenant, module));
  HS_TRY(const auto kept, subject(stored.checksum));
  return check(principal, *kept, world);
}

Result<std::vector<std::string>> Interfaces::importable(const TenantId& tenant) {
  HS_TRY(const auto known, parts_.store.all_interfaces(tenant));
  std::vector<std::string> names;
  for (const auto& one : known) {
    if (one.platform || !in_force(one.status)) continue;
    names.insert(names.end(), one.interfaces.begin(), one.interfaces.end());
  }
  return names;
}

Result<std::vector<ScanFinding>> Interfaces::admit(const Principal& principal, std::string_view binary,
                                                   const std::vector<std::string>& claims) {
  HS_TRY(const auto subject, read(binary));
  HS_TRY(const auto offers, packages_.offers(principal.tenant));
  HS_TRY(const auto known, parts_.store.all_interfaces(principal.tenant));
  HS_TRY(const auto conformance, hold(subject, offers, nullptr));
  std::vector<ScanFinding> findings;
  std::vector<FieldError> errors;
  const auto look = [&](const std::vector<compat::CheckedItem>& items, std::string_view role) {
    for (const auto& item : items) {
      if (misfit(item)) errors.push_back({"binary", difference(item, role)});
      const auto one = std::ranges::find(known, InterfaceId(item.by), &WasiInterface::interfaceId);
      if (one == known.end()) continue;
      if (one->status == InterfaceStatus::Deprecated) {
        findings.push_back({"deprecated-interface", item.name, deprecation_of(*one)});
      }
      if (role == kImport && !one->platform) {
        findings.push_back({"host-interface", item.name,
                            "is no part of WASI: it runs on nodes alone that state it among their capabilities"});
      }
    }
  };
  look(conformance.imports, kImport);
  look(conformance.exports, kExport);
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const std::string field = fmt::format("claims[{}]", i);
    const auto claim = claimed(principal, claims[i], true);
    if (!claim) {
      errors.push_back({field, claim.error().detail});
      continue;
    }
    const auto held = hold(subject, offers, &*claim);
    if (!held) {
      errors.push_back({field, held.error().detail});
      continue;
    }
    // What is imported was judged above: that a world imports something does not bring it to a node.
    for (const auto& item : held->exports) {
      const bool of_claim = !subject.component || item.name == claim->id;
      if (of_claim && misfit(item)) errors.push_back({field, difference(item, kExport)});
    }
  }
  if (errors.empty()) return findings;
  return fail(ErrorKind::kUnprocessable, "the module does not conform to the interfaces that it uses",
              std::move(errors));
}

Result<std::vector<DeploymentWarning>> Interfaces::deprecated_uses(const TenantId& tenant, const Module& module) {
  HS_TRY(const auto known, parts_.store.all_interfaces(tenant));
  std::set<std::string> names(module.requiredInterfaces.begin(), module.requiredInterfaces.end());
  names.insert(module.claims.begin(), module.claims.end());
  for (const auto& name : module.exportedFunctions) names.insert(name.substr(0, name.find('#')));
  std::vector<DeploymentWarning> warnings;
  for (const auto& name : names) {
    const auto used = in_use(known, name);
    if (!used || used->interface->status != InterfaceStatus::Deprecated) continue;
    warnings.push_back({.rule = "deprecated-interface",
                        .subject = name,
                        .message = deprecation_of(*used->interface),
                        .migrationGuide = used->interface->migrationGuide});
  }
  return warnings;
}

Result<std::vector<compat::Change>> Interfaces::broken_callers(const TenantId& tenant, const ModuleId& before,
                                                               const ModuleId& after) {
  HS_TRY(const auto old_module, parts_.store.module(tenant, before));
  HS_TRY(const auto new_module, parts_.store.module(tenant, after));
  if (old_module.checksum == new_module.checksum) return std::vector<compat::Change>{};
  HS_TRY(const auto was, subject(old_module.checksum));
  HS_TRY(const auto is, subject(new_module.checksum));
  compat::Comparison comparison = compat::kind_changed(enum_name(old_module.kind), enum_name(new_module.kind));
  if (was->component.has_value() != is->component.has_value()) {
    // Nothing of the one is in the other.
  } else if (was->component) {
    HS_TRY(comparison, compat::compare(*was->component, *is->component));
  } else {
    comparison = compat::compare_core(was->core, is->core);
    // Of a core module, functions alone are called through a route.
    std::erase_if(comparison.changes, [](const compat::Change& change) { return !change.was.starts_with("func"); });
  }
  std::erase_if(comparison.changes, [](const compat::Change& change) {
    // What it imports is the node's to offer.
    return change.modules == compat::ModulesDo::Call || !compat::breaks_callers(change.breaks);
  });
  return std::move(comparison.changes);
}

}  // namespace hotswap::control
