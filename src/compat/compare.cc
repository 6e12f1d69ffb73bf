#include "compat/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "compat/pairing.h"
#include "compat/type_comparison.h"
#include "compat/world_items.h"

namespace hotswap::compat {
namespace {

std::string functions_word(std::size_t count) { return fmt::format("{} function{}", count, count == 1 ? "" : "s"); }

// "request.method", "handle": unique in an interface.
std::string key_of(const Wit& wit, const Function& function) {
  return function.resource ? wit.types[*function.resource].name + '.' + function.name : function.name;
}

// How many pairs are tried for a hint at a renamed item: more is no help to whoever reads it.
constexpr std::size_t kGuesses = 10'000;

// The types of an interface by name.
class Names {
 public:
  explicit Names(const Interface& interface) {
    for (const auto& [name, index] : interface.types) types_.emplace(name, index);
  }
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const {
    const auto at = types_.find(name);
    return at == types_.end() ? std::nullopt : std::optional(at->second);
  }

 private:
  std::unordered_map<std::string_view, std::uint32_t> types_;
};

class Comparer {
 public:
  Comparer(const Wit& old_wit, const Wit& new_wit)
      : old_(old_wit), new_(new_wit), pairing_(old_wit, new_wit), types_(old_wit, new_wit, pairing_, changes_) {}

  void packages() {
    learn_roles(old_.main_package().worlds, new_.main_package().worlds);
    package_interfaces();
    package_worlds();
    drain();
  }

  void worlds(std::uint32_t mine, std::uint32_t theirs) {
    learn_roles({mine}, {theirs});
    old_live_ = carried_types(old_, mine);
    new_live_ = carried_types(new_, theirs);
    world(mine, theirs);
    drain();
  }

  void interfaces(std::uint32_t mine, std::uint32_t theirs, ModulesDo modules) {
    pairing_.pair_interfaces(mine, theirs);
    only_role_ = modules;
    interface(mine, theirs, {path_of(old_, old_.interfaces[mine]), modules, {}});
    drain();
  }

  std::vector<Change> take() { return std::move(changes_); }

 private:
  // What modules do with an interface: call it where a world imports it, implement it where one exports it. Those that
  // are there were made for the old worlds; the new ones speak of what these do not mention.
  void learn_roles(const std::vector<std::uint32_t>& mine, const std::vector<std::uint32_t>& theirs) {
    roles_ = roles_of(old_, mine);
    roles_.merge(roles_of(new_, theirs));
  }

  static std::map<std::string, ModulesDo> roles_of(const Wit& wit, const std::vector<std::uint32_t>& worlds) {
    std::map<std::string, ModulesDo> roles;
    const auto learn = [&](const std::vector<WorldItem>& items, ModulesDo what) {
      for (const auto& item : items) {
        if (!item.interface || wit.interfaces[*item.interface].name.empty()) continue;
        const auto [at, added] = roles.emplace(path_of(wit, wit.interfaces[*item.interface]), what);
        if (!added && at->second != what) at->second = ModulesDo::Both;
      }
    };
    for (const auto world : worlds) {
      learn(wit.worlds[world].imports, ModulesDo::Call);
      learn(wit.worlds[world].exports, ModulesDo::Implement);
    }
    return roles;
  }

  // Of one world it is known which types its functions carry: a module that imports an interface imports no other type
  // of it. Of a whole package it is not, since functions of other packages may carry its types.
  [[nodiscard]] Breaks spared(ModulesDo modules, std::optional<std::uint32_t> mine,
                              std::optional<std::uint32_t> theirs) const {
    if (modules != ModulesDo::Call || !old_live_ || !new_live_) return Breaks::None;
    return breaks_of(!mine || !(*old_live_)[*mine], !theirs || !(*new_live_)[*theirs]);
  }

  // A type, or an interface of types alone, that nothing carries.
  static bool is_dead(const Wit& wit, const WorldItem& item, const std::optional<std::vector<bool>>& live) {
    if (!live || item.function) return false;
    if (item.type) return !(*live)[*item.type];
    const auto& interface = wit.interfaces[*item.interface];
    const auto carried = [&](const auto& entry) { return static_cast<bool>((*live)[entry.second]); };
    return interface.functions.empty() && std::ranges::none_of(interface.types, carried);
  }

  // Where no world says it, an interface is something that modules call.
  [[nodiscard]] ModulesDo role(const std::string& path) const {
    if (only_role_) return *only_role_;
    const auto at = roles_.find(path);
    return at == roles_.end() ? ModulesDo::Call : at->second;
  }

  void package_interfaces() {
    const auto& mine = old_.main_package();
    const auto& theirs = new_.main_package();
    for (const auto i : mine.interfaces) {
      const auto& interface = old_.interfaces[i];
      const std::string path = path_of(old_, interface);
      if (const auto j = pairing_.interface(i)) {
        this->interface(i, *j, {path, role(path), {}});
        continue;
      }
      types_.add({path, role(path), interface.gate.unstable}, ChangeKind::InterfaceRemoved, path,
                 "interface with " + functions_word(interface.functions.size()), {}, Breaks::Callers);
    }
    std::set<std::uint32_t> known;
    for (const auto i : mine.interfaces) {
      if (const auto j = pairing_.interface(i)) known.insert(*j);
    }
    for (const auto j : theirs.interfaces) {
      const auto& interface = new_.interfaces[j];
      if (known.contains(j)) continue;
      // Nobody is asked to implement it by its being there; a world that exports it says so itself.
      const std::string path = path_of(new_, interface);
      types_.add({path, ModulesDo::Call, {}}, ChangeKind::InterfaceAdded, path, {},
                 "interface with " + functions_word(interface.functions.size()), added(interface.gate));
    }
  }

  void package_worlds() {
    std::map<std::string_view, std::uint32_t> own;
    std::map<std::string_view, std::uint32_t> others;
    for (const auto i : old_.main_package().worlds) own.emplace(old_.worlds[i].name, i);
    for (const auto j : new_.main_package().worlds) others.emplace(new_.worlds[j].name, j);
    for (const auto i : old_.main_package().worlds) {
      const World& mine = old_.worlds[i];
      if (const auto j = others.find(mine.name); j != others.end()) {
        world(i, j->second);
        continue;
      }
      const std::string path = path_of(old_, mine);
      types_.add({path, ModulesDo::Call, mine.gate.unstable}, ChangeKind::WorldRemoved, path, "world", {},
                 Breaks::Callers);
    }
    for (const auto j : new_.main_package().worlds) {
      const World& theirs = new_.worlds[j];
      if (own.contains(theirs.name)) continue;
      const std::string path = path_of(new_, theirs);
      types_.add({path, ModulesDo::Call, {}}, ChangeKind::WorldAdded, path, {}, "world", added(theirs.gate));
    }
  }

  // What is new breaks who implements what it was added to; behind @unstable nobody is asked to.
  static Breaks added(const Gate& gate) { return gate.unstable.empty() ? Breaks::Implementers : Breaks::None; }

  void world(std::uint32_t mine, std::uint32_t theirs) {
    pairing_.pair_worlds(mine, theirs);
    const World& a = old_.worlds[mine];
    const World& b = new_.worlds[theirs];
    const std::string path = path_of(old_, a);
    if (!types_.compare_gates({path, ModulesDo::Call, {}}, a.gate, b.gate)) return;
    world_items(a.imports, b.imports, path + ".imports", ModulesDo::Call, a.gate.unstable);
    world_items(a.exports, b.exports, path + ".exports", ModulesDo::Implement, a.gate.unstable);
  }

  static std::string path_of_item(const Wit& wit, const WorldItem& item, const std::string& base) {
    if (!item.name.empty()) return base + '.' + item.name;
    return fmt::format("{}[{}]", base, path_of(wit, wit.interfaces[*item.interface]));
  }

  static std::string text_of_item(const Wit& wit, const WorldItem& item) {
    if (item.function) return text_of(wit, *item.function);
    if (item.type) return text_of(wit, wit.types[*item.type]);
    const auto& interface = wit.interfaces[*item.interface];
    const std::string version = interface.package ? wit.packages[*interface.package].version : std::string();
    return fmt::format("interface{}{} with {}", version.empty() ? "" : " @", version,
                       functions_word(interface.functions.size()));
  }

  void world_items(const std::vector<WorldItem>& mine, const std::vector<WorldItem>& theirs, const std::string& base,
                   ModulesDo modules, const std::string& unstable) {
    const bool imports = modules == ModulesDo::Call;
    const WorldItems own(old_, mine);
    const WorldItems others(new_, theirs);
    for (const auto& item : mine) {
      const Where where{path_of_item(old_, item, base), modules, unstable.empty() ? item.gate.unstable : unstable};
      if (const auto* other = others.find(old_, item)) {
        world_item(item, *other, where);
        continue;
      }
      Where inner = where;
      if (imports && is_dead(old_, item, old_live_)) inner.spared = Breaks::Callers;
      types_.add(inner, imports ? ChangeKind::ImportRemoved : ChangeKind::ExportRemoved, where.path,
                 text_of_item(old_, item), {}, Breaks::Callers);
    }
    for (const auto& item : theirs) {
      if (own.find(new_, item) != nullptr) continue;
      Where where{path_of_item(new_, item, base), modules, unstable};
      if (imports && is_dead(new_, item, new_live_)) where.spared = Breaks::Implementers;
      types_.add(where, imports ? ChangeKind::ImportAdded : ChangeKind::ExportAdded, where.path, {},
                 text_of_item(new_, item), added(item.gate));
    }
  }

  void world_item(const WorldItem& mine, const WorldItem& theirs, const Where& where) {
    if (mine.interface && theirs.interface) {
      pairing_.pair_interfaces(*mine.interface, *theirs.interface);
      const std::string path = path_of(old_, old_.interfaces[*mine.interface]);
      Where inner = where;
      if (!path.empty()) inner = {path, role(path), where.unstable};
      if (!types_.compare_gates(where, mine.gate, theirs.gate)) return;
      interface(*mine.interface, *theirs.interface, inner);
    } else if (mine.function && theirs.function) {
      if (types_.compare_gates(where, mine.gate, theirs.gate)) types_.compare(*mine.function, *theirs.function, where);
    } else if (mine.type && theirs.type) {
      Where inner = where;
      inner.spared = spared(where.modules, mine.type, theirs.type);
      types_.compare(*mine.type, *theirs.type, inner);
    } else {
      types_.add(where, ChangeKind::TypeChanged, where.path, text_of_item(old_, mine), text_of_item(new_, theirs),
                 Breaks::Both);
    }
  }

  void interface(std::uint32_t mine, std::uint32_t theirs, Where where) {
    if (!compared_.emplace(mine, theirs).second) return;
    const Interface& a = old_.interfaces[mine];
    const Interface& b = new_.interfaces[theirs];
    touch(a, b);
    if (!types_.compare_gates(where, a.gate, b.gate)) return;
    if (where.unstable.empty()) where.unstable = a.gate.unstable;
    interface_types(a, b, where);
    interface_functions(a, b, where);
  }

  // `use`d or defined here: which of them it is makes no difference to whoever links.
  void interface_types(const Interface& mine, const Interface& theirs, const Where& where) {
    const Names own(mine);
    const Names others(theirs);
    std::size_t guesses = 0;
    for (const auto& [name, i] : mine.types) {
      const Type& type = old_.types[i];
      Where inner{where.path + '.' + name, where.modules, where.unstable.empty() ? type.gate.unstable : where.unstable};
      inner.spared = spared(where.modules, i, others.find(name));
      if (const auto j = others.find(name)) {
        types_.compare(i, *j, inner);
        continue;
      }
      const bool resource = type.kind == TypeKind::kResource;
      std::string hint;
      std::size_t twins = 0;
      for (const auto& [other, j] : theirs.types) {
        if (resource || ++guesses > kGuesses || own.find(other) || !types_.alike(i, j)) continue;
        if (++twins == 1) hint = fmt::format("perhaps renamed to {}", other);
      }
      if (twins != 1) hint.clear();
      types_.add(inner, resource ? ChangeKind::ResourceRemoved : ChangeKind::TypeRemoved, inner.path,
                 text_of_type(old_, mine, i), {}, Breaks::Callers, std::move(hint));
    }
    for (const auto& [name, j] : theirs.types) {
      if (own.find(name)) continue;
      const bool resource = new_.types[j].kind == TypeKind::kResource;
      const Where inner{where.path, where.modules, where.unstable, spared(where.modules, std::nullopt, j)};
      types_.add(inner, resource ? ChangeKind::ResourceAdded : ChangeKind::TypeAdded, where.path + '.' + name, {},
                 text_of_type(new_, theirs, j), added(new_.types[j].gate));
    }
  }

  static std::string text_of_type(const Wit& wit, const Interface& interface, std::uint32_t index) {
    const Type& type = wit.types[index];
    if (type.kind != TypeKind::kResource) return text_of(wit, type);
    const auto methods =
        std::ranges::count_if(interface.functions, [&](const Function& f) { return f.resource == index; });
    return fmt::format("resource {} with {}", type.name, functions_word(static_cast<std::size_t>(methods)));
  }

  void interface_functions(const Interface& mine, const Interface& theirs, const Where& where) {
    const auto index = [](const Wit& wit, const Interface& interface) {
      std::map<std::string, const Function*> functions;
      for (const auto& function : interface.functions) functions.emplace(key_of(wit, function), &function);
      return functions;
    };
    const Names own_types(mine);
    const Names other_types(theirs);
    // Functions of a resource that came or went as a whole are told with it.
    const auto told = [](const Wit& wit, const Function& f, const Wit& other_wit, const Names& other) {
      if (!f.resource) return false;
      const auto at = other.find(wit.types[*f.resource].name);
      return !at || other_wit.types[*at].kind != TypeKind::kResource;
    };
    const auto others = index(new_, theirs);
    const auto own = index(old_, mine);
    std::vector<const Function*> removed;
    std::vector<const Function*> added_ones;
    for (const auto& function : mine.functions) {
      const std::string key = key_of(old_, function);
      const auto other = others.find(key);
      if (other == others.end()) {
        if (!told(old_, function, new_, other_types)) removed.push_back(&function);
        continue;
      }
      const Where inner{where.path + '.' + key, where.modules,
                        where.unstable.empty() ? function.gate.unstable : where.unstable};
      if (types_.compare_gates(inner, function.gate, other->second->gate))
        types_.compare(function, *other->second, inner);
    }
    for (const auto& function : theirs.functions) {
      if (!own.contains(key_of(new_, function)) && !told(new_, function, old_, own_types))
        added_ones.push_back(&function);
    }
    came_and_went(removed, added_ones, where);
  }

  // A removed and an added function of one type, the only ones of it, are perhaps one that was renamed.
  void came_and_went(const std::vector<const Function*>& removed, const std::vector<const Function*>& came,
                     const Where& where) {
    const auto siblings = [&](const Function& a, const Function& b) {
      const auto of = [](const Wit& wit, const Function& f) { return f.resource ? wit.types[*f.resource].name : ""; };
      return of(old_, a) == of(new_, b) && types_.match(a, b);
    };
    const auto twin_of = [&](const Function& function) -> const Function* {
      const auto fits = [&](const Function* other) { return siblings(function, *other); };
      const auto twin = std::ranges::find_if(came, fits);
      if (twin == came.end() || std::ranges::count_if(came, fits) > 1) return nullptr;
      const bool only = std::ranges::count_if(removed, [&](const Function* f) { return siblings(*f, **twin); }) == 1;
      return only ? *twin : nullptr;
    };
    std::map<const Function*, std::string> renamed_from;
    const bool few = removed.size() * came.size() * removed.size() <= kGuesses;
    for (const auto* function : removed) {
      const Function* twin = few ? twin_of(*function) : nullptr;
      if (twin != nullptr) renamed_from.emplace(twin, function->name);
      const Where inner{where.path, where.modules, where.unstable.empty() ? function->gate.unstable : where.unstable};
      types_.add(inner, ChangeKind::FunctionRemoved, where.path + '.' + key_of(old_, *function),
                 text_of(old_, *function), {}, Breaks::Callers,
                 twin == nullptr ? "" : fmt::format("perhaps renamed to {}", twin->name));
    }
    for (const auto* function : came) {
      const auto from = renamed_from.find(function);
      types_.add(where, ChangeKind::FunctionAdded, where.path + '.' + key_of(new_, *function), {},
                 text_of(new_, *function), added(function->gate),
                 from == renamed_from.end() ? "" : fmt::format("perhaps renamed from {}", from->second));
    }
  }

  // Definitions in other packages that were met at their uses; then the versions of these packages.
  void drain() {
    while (const auto pair = types_.next()) {
      const Type& mine = old_.types[pair->first];
      const Type& theirs = new_.types[pair->second];
      std::string path;
      std::string unstable = mine.gate.unstable;
      if (mine.interface) {
        const auto& interface = old_.interfaces[*mine.interface];
        path = path_of(old_, interface);
        if (theirs.interface) touch(interface, new_.interfaces[*theirs.interface]);
        if (unstable.empty()) unstable = interface.gate.unstable;
      } else if (mine.world) {
        path = path_of(old_, old_.worlds[*mine.world]);
      }
      types_.compare(pair->first, pair->second, {path + '.' + mine.name, role(path), unstable});
    }
    for (const auto& [path, versions] : dependencies_) {
      const bool linked = same_track(versions.first, versions.second);
      const auto text = [](const std::string& version) { return version.empty() ? "no version" : version; };
      types_.add({path, ModulesDo::Both, {}}, ChangeKind::DependencyVersionChanged, path, text(versions.first),
                 text(versions.second), linked ? Breaks::None : Breaks::Both,
                 linked ? "these versions are linked to each other" : "these versions are not linked to each other");
    }
  }

  // A contract's own version is judged by what changed; that of another package is part of a link's name.
  void touch(const Interface& mine, const Interface& theirs) {
    if (!mine.package || !theirs.package || (*mine.package == old_.main && *theirs.package == new_.main)) return;
    const auto& a = old_.packages[*mine.package];
    const auto& b = new_.packages[*theirs.package];
    if (a.version != b.version) dependencies_.insert_or_assign(a.name, std::pair{a.version, b.version});
  }

  const Wit& old_;
  const Wit& new_;
  std::vector<Change> changes_;
  Pairing pairing_;
  TypeComparison types_;
  std::map<std::string, ModulesDo> roles_;
  std::optional<ModulesDo> only_role_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> compared_;
  std::map<std::string, std::pair<std::string, std::string>> dependencies_;
  std::optional<std::vector<bool>> old_live_;
  std::optional<std::vector<bool>> new_live_;
};

Comparison about(const Wit& old_wit, const Wit& new_wit) {
  if (old_wit.component) return {.subject = Subject::Module};
  return {.subject = Subject::Contract,
          .from = id_of(old_wit.main_package()),
          .to = id_of(new_wit.main_package()),
          .from_version = old_wit.main_package().version,
          .to_version = new_wit.main_package().version};
}

}  // namespace

Result<Comparison> compare(const Wit& old_wit, const Wit& new_wit) {
  if (old_wit.component != new_wit.component) {
    return fail(ErrorKind::kInvalid, "a component and a WIT package are compared by a world of the package: name it");
  }
  if (old_wit.world && new_wit.world) return compare_worlds(old_wit, *old_wit.world, new_wit, *new_wit.world);
  Comparison comparison = about(old_wit, new_wit);
  Comparer comparer(old_wit, new_wit);
  comparer.packages();
  comparison.changes = comparer.take();
  return comparison;
}

Comparison compare_worlds(const Wit& old_wit, std::uint32_t old_world, const Wit& new_wit, std::uint32_t new_world) {
  Comparison comparison = about(old_wit, new_wit);
  Comparer comparer(old_wit, new_wit);
  comparer.worlds(old_world, new_world);
  comparison.changes = comparer.take();
  return comparison;
}

std::vector<Change> compare_interfaces(const Wit& old_wit, std::uint32_t old_interface, const Wit& new_wit,
                                       std::uint32_t new_interface, ModulesDo modules) {
  Comparer comparer(old_wit, new_wit);
  comparer.interfaces(old_interface, new_interface, modules);
  return comparer.take();
}

}  // namespace hotswap::compat
