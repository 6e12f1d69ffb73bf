#include "compat/pairing.h"

#include <array>
#include <unordered_map>

namespace hotswap::compat {
namespace {

// "1.4.2" is "1", "0.2.12" is "0.2", "0.0.3" and "1.0.0-rc.1" are themselves; build metadata says nothing.
std::string_view track_of(std::string_view version) {
  version = version.substr(0, version.find('+'));
  if (version.find('-') != std::string_view::npos) return version;
  const auto first = version.find('.');
  if (first == std::string_view::npos || version.substr(0, first) != "0") return version.substr(0, first);
  const auto second = version.find('.', first + 1);
  if (version.substr(0, second) != "0.0") return version.substr(0, second);
  return version;
}

template <class Item>
void pair_by_name(const std::vector<Item>& old_items, const std::vector<std::uint32_t>& mine,
                  const std::vector<Item>& new_items, const std::vector<std::uint32_t>& theirs,
                  std::vector<std::optional<std::uint32_t>>& pairs) {
  std::unordered_map<std::string_view, std::uint32_t> by_name;
  for (const auto index : theirs) by_name.emplace(new_items[index].name, index);
  for (const auto index : mine) {
    if (const auto found = by_name.find(old_items[index].name); found != by_name.end()) pairs[index] = found->second;
  }
}

}  // namespace

bool same_track(std::string_view one, std::string_view other) { return track_of(one) == track_of(other); }

Pairing::Pairing(const Wit& old_wit, const Wit& new_wit)
    : old_(old_wit),
      new_(new_wit),
      packages_(old_wit.packages.size()),
      interfaces_(old_wit.interfaces.size()),
      worlds_(old_wit.worlds.size()) {
  std::vector<bool> taken(new_.packages.size());
  const auto pair = [&](std::uint32_t mine, std::uint32_t theirs) {
    packages_[mine] = theirs;
    taken[theirs] = true;
  };
  if (old_.main_package().name == new_.main_package().name) pair(old_.main, new_.main);
  using Fits = bool (*)(const Package&, const Package&);
  constexpr std::array<Fits, 3> kRounds{
      [](const Package& a, const Package& b) { return a.version == b.version; },
      [](const Package& a, const Package& b) { return same_track(a.version, b.version); },
      [](const Package&, const Package&) { return true; },
  };
  for (const Fits fits : kRounds) {
    for (std::uint32_t i = 0; i < packages_.size(); ++i) {
      for (std::uint32_t j = 0; j < taken.size() && !packages_[i]; ++j) {
        if (!taken[j] && old_.packages[i].name == new_.packages[j].name && fits(old_.packages[i], new_.packages[j])) {
          pair(i, j);
        }
      }
    }
  }
  for (std::uint32_t i = 0; i < packages_.size(); ++i) {
    if (!packages_[i]) continue;
    const Package& theirs = new_.packages[*packages_[i]];
    pair_by_name(old_.interfaces, old_.packages[i].interfaces, new_.interfaces, theirs.interfaces, interfaces_);
    pair_by_name(old_.worlds, old_.packages[i].worlds, new_.worlds, theirs.worlds, worlds_);
  }
}

bool Pairing::same(std::uint32_t old_type, std::uint32_t new_type) const {
  const Type& mine = old_.types[old_type];
  const Type& theirs = new_.types[new_type];
  if (mine.name.empty() || mine.name != theirs.name) return false;
  if (mine.interface) return theirs.interface && interfaces_[*mine.interface] == theirs.interface;
  return mine.world && theirs.world && worlds_[*mine.world] == theirs.world;
}

}  // namespace hotswap::compat
