#include "compat/world_items.h"

namespace hotswap::compat {
namespace {

std::string key(const Wit& wit, const WorldItem& item) {
  if (!item.name.empty()) return (item.interface ? "interface " : "") + item.name;
  return path_of(wit, wit.interfaces[*item.interface]);
}

std::string version(const Wit& wit, const WorldItem& item) {
  const auto& package = wit.interfaces[*item.interface].package;
  return package ? wit.packages[*package].version : std::string();
}

}  // namespace

WorldItems::WorldItems(const Wit& wit, const std::vector<WorldItem>& items) : wit_(wit) {
  for (const auto& item : items) by_name_.emplace(key(wit, item), &item);
}

const WorldItem* WorldItems::find(const Wit& there, const WorldItem& wanted) const {
  const WorldItem* found = nullptr;
  const auto [begin, end] = by_name_.equal_range(key(there, wanted));
  for (auto at = begin; at != end; ++at) {
    found = at->second;
    if (!found->name.empty()) break;
    if (version(wit_, *found) == version(there, wanted)) break;
  }
  return found;
}

std::vector<bool> carried_types(const Wit& wit, std::uint32_t world) {
  std::vector<bool> carried(wit.types.size());
  std::vector<TypeRef> pending;
  const auto carry = [&](const Function& function) {
    for (const auto& param : function.params) pending.push_back(param.type);
    pending.push_back(function.result);
  };
  for (const auto* items : {&wit.worlds[world].imports, &wit.worlds[world].exports}) {
    for (const auto& item : *items) {
      if (item.function) carry(*item.function);
      if (!item.interface) continue;
      for (const auto& function : wit.interfaces[*item.interface].functions) carry(function);
    }
  }
  while (!pending.empty()) {
    const auto index = pending.back().index();
    pending.pop_back();
    if (!index || carried[*index]) continue;
    carried[*index] = true;
    for (const auto& member : wit.types[*index].members) pending.push_back(member.type);
  }
  return carried;
}

}  // namespace hotswap::compat
