// Looking into a world: its items by name, and what its functions carry.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compat/wit.h"

namespace hotswap::compat {

// The imports or exports of one world by what they are called there, versions left aside. Refers to its arguments.
class WorldItems {
 public:
  WorldItems(const Wit& wit, const std::vector<WorldItem>& items);
  // The item that `wanted`, of another side, is here. Two versions of one package may be in a world: the one of the
  // same version is the same. nullptr where there is none.
  [[nodiscard]] const WorldItem* find(const Wit& there, const WorldItem& wanted) const;

 private:
  const Wit& wit_;
  std::multimap<std::string, const WorldItem*> by_name_;
};

// Which types the functions of a world carry, in whatever they hold; by their index.
[[nodiscard]] std::vector<bool> carried_types(const Wit& wit, std::uint32_t world);

}  // namespace hotswap::compat
