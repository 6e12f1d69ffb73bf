// Types against types, and functions by theirs. What is named alike on both sides is compared once, where it is
// defined; everything else by its structure, with aliases seen through.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compat/change.h"
#include "compat/pairing.h"

namespace hotswap::compat {

// What goes for all changes of one item.
struct Where {
  std::string path;
  ModulesDo modules{};
  // The feature that the old side's item waits for: whoever uses it already knows that it may change.
  std::string unstable{};
  // Whom the item cannot break: callers import only those types that a function carries.
  Breaks spared = Breaks::None;
};

// Members by name; as many as a text holds, so that looking them up one by one would not do.
class MemberIndex {
 public:
  explicit MemberIndex(const std::vector<Member>& members);
  [[nodiscard]] const Member* find(std::string_view name) const;

 private:
  const std::vector<Member>& members_;
  std::unordered_map<std::string_view, const Member*> by_name_;  // empty where there are few
};

class TypeComparison {
 public:
  TypeComparison(const Wit& old_wit, const Wit& new_wit, Pairing& pairing, std::vector<Change>& changes)
      : old_(old_wit), new_(new_wit), pairing_(pairing), changes_(changes) {}

  // Whether they fit at their uses. Definitions that they share by name fit here, and are put on the list of those to
  // be compared.
  [[nodiscard]] bool match(TypeRef mine, TypeRef theirs) { return match(mine, theirs, 0); }
  // Whether two functions have one type, whatever they are called.
  [[nodiscard]] bool match(const Function& mine, const Function& theirs);
  // Whether two definitions have one structure, whatever they are called. Never of resources, which are their names.
  [[nodiscard]] bool alike(std::uint32_t mine, std::uint32_t theirs);

  // Two definitions of the same name. Every pair is compared once.
  void compare(std::uint32_t mine, std::uint32_t theirs, const Where& where);
  // Two functions of the same name.
  void compare(const Function& mine, const Function& theirs, const Where& where);
  // A pair that match() met since the last call and compare() has not seen.
  [[nodiscard]] std::optional<std::pair<std::uint32_t, std::uint32_t>> next();

  void add(const Where& where, ChangeKind kind, std::string path, std::string was, std::string is, Breaks breaks,
           std::string hint = {});
  // The gates themselves, of an item that stays on both sides. False where that says everything about it: the item
  // came out from behind @unstable, or went there.
  bool compare_gates(const Where& where, const Gate& mine, const Gate& theirs);

 private:
  struct Words {
    ChangeKind added, removed, moved, type_changed;
  };

  bool match(TypeRef mine, TypeRef theirs, int depth);
  bool same_structure(std::uint32_t mine, std::uint32_t theirs, int depth);
  bool same_members(const Type& mine, const Type& theirs);
  void compare_parameters(const std::vector<Member>& mine, const std::vector<Member>& theirs, const Where& where);
  void compare_members(const Type& mine, const Type& theirs, const Where& where);

  const Wit& old_;
  const Wit& new_;
  Pairing& pairing_;
  std::vector<Change>& changes_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, bool> matched_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> compared_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pending_;
};

}  // namespace hotswap::compat
