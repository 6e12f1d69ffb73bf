#include "compat/conformance.h"

#include <fmt/format.h>

#include <algorithm>

#include "compat/compare.h"
#include "compat/pairing.h"

namespace hotswap::compat {
namespace {

std::string version_of(const Wit& wit, const Interface& interface) {
  return interface.package ? wit.packages[*interface.package].version : std::string();
}

std::string name_of(const Wit& wit, const WorldItem& item) {
  if (!item.name.empty()) return item.name;
  const auto& interface = wit.interfaces[*item.interface];
  const std::string version = version_of(wit, interface);
  return version.empty() ? path_of(wit, interface) : path_of(wit, interface) + '@' + version;
}

std::string package_of(const Offers::Found& found) {
  const auto& package = found.wit->interfaces[found.interface].package;
  return package ? id_of(found.wit->packages[*package]) : std::string();
}

// What breaks who relies on the old side: the one that wants, against the one that has.
std::vector<Change> unmet(std::vector<Change> changes) {
  std::erase_if(changes, [](const Change& change) { return !breaks_callers(change.breaks); });
  return changes;
}

void settle(CheckedItem& item, std::vector<Change> changes) {
  item.changes = std::move(changes);
  item.fit = item.changes.empty() ? Fit::Fits : Fit::Differs;
}

// An interface of the claimed world with this path on this track.
std::optional<std::uint32_t> claimed_import(const Claim& claim, const std::string& path, const std::string& version) {
  for (const auto& item : claim.wit.worlds[claim.world].imports) {
    if (!item.interface) continue;
    const auto& interface = claim.wit.interfaces[*item.interface];
    if (path_of(claim.wit, interface) == path && same_track(version_of(claim.wit, interface), version)) {
      return item.interface;
    }
  }
  return std::nullopt;
}

// Imports without an interface of their own, and all exports, are those of the claimed world or they are nothing.
std::vector<Change> against_claim(const Wit& component, const Claim& claim) {
  auto changes = compare_worlds(claim.wit, claim.world, component, *component.world).changes;
  std::erase_if(changes, [](const Change& change) {
    const bool wanted = change.modules != ModulesDo::Call && breaks_callers(change.breaks);
    const bool wants = change.modules != ModulesDo::Implement && breaks_implementers(change.breaks);
    return !wanted && !wants;
  });
  return changes;
}

CheckedItem check_import(const Wit& component, const WorldItem& wanted, const Offers& offers,
                         const std::optional<Claim>& claim) {
  CheckedItem item{.name = name_of(component, wanted), .fit = Fit::Missing, .by = {}, .changes = {}, .detail = {}};
  if (!wanted.interface || !wanted.name.empty()) {
    item.detail = "an import that belongs to no package; only a world that it is made for can offer it";
    return item;
  }
  const auto& interface = component.interfaces[*wanted.interface];
  const std::string path = path_of(component, interface);
  const std::string version = version_of(component, interface);
  if (claim) {
    if (const auto at = claimed_import(*claim, path, version)) {
      item.by = path_of(claim->wit, claim->wit.worlds[claim->world]);
      settle(item, unmet(compare_interfaces(component, *wanted.interface, claim->wit, *at, ModulesDo::Call)));
      return item;
    }
  }
  const auto found = offers.find(path, version);
  if (!found) {
    const std::string known = offers.versions_of(path);
    item.detail = known.empty() ? "nothing offers it" : "only other versions are offered: " + known;
    return item;
  }
  item.by = package_of(*found);
  if (!found->importable) {
    item.detail = "it is known, but modules implement it; nothing offers it to them";
    return item;
  }
  settle(item, unmet(compare_interfaces(component, *wanted.interface, *found->wit, found->interface, ModulesDo::Call)));
  return item;
}

CheckedItem check_export(const Wit& component, const WorldItem& offered, const Offers& offers) {
  CheckedItem item{.name = name_of(component, offered), .fit = Fit::Unknown, .by = {}, .changes = {}, .detail = {}};
  if (!offered.interface || !offered.name.empty()) return item;
  const auto& interface = component.interfaces[*offered.interface];
  const auto found = offers.find(path_of(component, interface), version_of(component, interface));
  if (!found) return item;
  item.by = package_of(*found);
  settle(item,
         unmet(compare_interfaces(*found->wit, found->interface, component, *offered.interface, ModulesDo::Implement)));
  return item;
}

CheckedItem held_against(const std::string& name, const std::string& own, const CoreFunction* other, std::string by) {
  CheckedItem item{.name = name, .fit = Fit::Missing, .by = {}, .changes = {}, .detail = {}};
  if (other == nullptr) return item;
  item.by = std::move(by);
  const std::string wanted = text_of(*other);
  item.fit = own == wanted ? Fit::Fits : Fit::Differs;
  if (item.fit == Fit::Differs) item.detail = fmt::format("the module has {}, where {} is meant", own, wanted);
  return item;
}

const CoreFunction* find(const std::vector<CoreFunction>& functions, const std::string& name) {
  const auto found = std::ranges::find(functions, name, &CoreFunction::name);
  return found == functions.end() ? nullptr : &*found;
}

void conclude(Conformance& conformance) {
  const auto bad = [](const CheckedItem& item) { return item.fit == Fit::Missing || item.fit == Fit::Differs; };
  conformance.fits = std::ranges::none_of(conformance.imports, bad) && std::ranges::none_of(conformance.exports, bad);
}

}  // namespace

void Offers::add(std::shared_ptr<const Wit> wit, const std::optional<std::set<std::string>>& names) {
  for (const auto& package : wit->packages) {
    for (const auto index : package.interfaces) {
      const std::string path = path_of(*wit, wit->interfaces[index]);
      const bool importable = !names || names->contains(package.version.empty() ? path : path + '@' + package.version);
      interfaces_[path].try_emplace(package.version,
                                    Found{.wit = wit.get(), .interface = index, .importable = importable});
    }
  }
  wits_.push_back(std::move(wit));
}

void Offers::add(CoreInterface interface) {
  for (auto& function : interface.functions) {
    const std::string name = interface.module + '#' + function.name;
    core_.insert_or_assign(name, std::move(function));
  }
}

std::optional<Offers::Found> Offers::find(const std::string& path, const std::string& version) const {
  const auto versions = interfaces_.find(path);
  if (versions == interfaces_.end()) return std::nullopt;
  const auto exact = versions->second.find(version);
  if (exact != versions->second.end()) return exact->second;
  std::optional<Found> found;
  std::string highest;
  for (const auto& [known, entry] : versions->second) {
    if (!same_track(known, version)) continue;
    // Of one track only the last number may have grown past one digit.
    if (found && std::pair(known.size(), known) < std::pair(highest.size(), highest)) continue;
    found = entry;
    highest = known;
  }
  return found;
}

std::string Offers::versions_of(const std::string& path) const {
  const auto versions = interfaces_.find(path);
  std::string text;
  if (versions == interfaces_.end()) return text;
  for (const auto& [version, entry] : versions->second) text += (text.empty() ? "" : ", ") + version;
  return text;
}

const CoreFunction* Offers::core(const std::string& name) const {
  const auto found = core_.find(name);
  return found == core_.end() ? nullptr : &found->second;
}

Conformance check_component(const Wit& component, const Offers& offers, const std::optional<Claim>& claim) {
  Conformance conformance;
  const World& world = component.worlds[*component.world];
  const auto changes = claim ? against_claim(component, *claim) : std::vector<Change>();
  for (const auto& item : world.imports) {
    // A type is imported for the sake of functions, which are checked with it.
    if (item.type) continue;
    const bool of_claim = claim && !item.name.empty() &&
                          std::ranges::any_of(claim->wit.worlds[claim->world].imports,
                                              [&](const WorldItem& other) { return other.name == item.name; });
    if (of_claim) continue;
    conformance.imports.push_back(check_import(component, item, offers, claim));
  }
  for (const auto& item : world.exports) {
    if (!item.type) conformance.exports.push_back(check_export(component, item, offers));
  }
  if (claim) {
    const std::string path = path_of(claim->wit, claim->wit.worlds[claim->world]);
    CheckedItem exports{.name = path, .fit = Fit::Fits, .by = path, .changes = {}, .detail = {}};
    CheckedItem imports = exports;
    for (const auto& change : changes) {
      if (change.modules == ModulesDo::Call) {
        // Imports beyond the claimed world's are offered or not, as said above.
        if (change.kind == ChangeKind::ImportAdded && change.path.ends_with(']')) continue;
        imports.changes.push_back(change);
      } else {
        exports.changes.push_back(change);
      }
    }
    imports.fit = imports.changes.empty() ? Fit::Fits : Fit::Differs;
    exports.fit = exports.changes.empty() ? Fit::Fits : Fit::Differs;
    conformance.imports.push_back(std::move(imports));
    conformance.exports.push_back(std::move(exports));
  }
  conclude(conformance);
  return conformance;
}

Conformance check_core(const ModuleDescription& module, const Offers& offers, const std::optional<CoreWorld>& claim) {
  Conformance conformance;
  for (const auto& import : module.imports) {
    const CoreFunction* offered = claim ? find(claim->imports, import.name) : nullptr;
    const bool claimed = offered != nullptr;
    if (!claimed) offered = offers.core(import.name);
    const std::string from = import.name.substr(0, import.name.find('#'));
    auto item = held_against(import.name, text_of(import), offered, claimed ? "the claimed world" : from);
    if (item.fit == Fit::Missing) item.detail = "nothing offers it";
    conformance.imports.push_back(std::move(item));
  }
  if (claim) {
    for (const auto& wanted : claim->exports) {
      const auto found = std::ranges::find(module.exports, wanted.name, &DescribedExport::name);
      if (found == module.exports.end()) {
        conformance.exports.push_back({.name = wanted.name,
                                       .fit = Fit::Missing,
                                       .by = "the claimed world",
                                       .changes = {},
                                       .detail = fmt::format("the module does not export it: {}", text_of(wanted))});
        continue;
      }
      conformance.exports.push_back(held_against(wanted.name, text_of(*found), &wanted, "the claimed world"));
    }
  }
  conclude(conformance);
  return conformance;
}

}  // namespace hotswap::compat
