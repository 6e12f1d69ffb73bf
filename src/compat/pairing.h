// Which item of the old side is which of the new one: by name, whatever the versions of their packages are.
#pragma once

#include <optional>
#include <vector>

#include "compat/wit.h"

namespace hotswap::compat {

class Pairing {
 public:
  // Packages are paired by name and version, else by name and track, else by name alone; main ones of one name first.
  Pairing(const Wit& old_wit, const Wit& new_wit);

  [[nodiscard]] std::optional<std::uint32_t> package(std::uint32_t old_package) const { return packages_[old_package]; }
  [[nodiscard]] std::optional<std::uint32_t> interface(std::uint32_t old_interface) const {
    return interfaces_[old_interface];
  }
  // Two that have no names of their own, or that the caller holds against each other.
  void pair_interfaces(std::uint32_t old_interface, std::uint32_t new_interface) {
    interfaces_[old_interface] = new_interface;
  }
  void pair_worlds(std::uint32_t old_world, std::uint32_t new_world) { worlds_[old_world] = new_world; }

  // Both are named, alike, in the same place.
  [[nodiscard]] bool same(std::uint32_t old_type, std::uint32_t new_type) const;

 private:
  const Wit& old_;
  const Wit& new_;
  std::vector<std::optional<std::uint32_t>> packages_;
  std::vector<std::optional<std::uint32_t>> interfaces_;
  std::vector<std::optional<std::uint32_t>> worlds_;
};

// Versions that are linked to each other: same major; below 1.0.0 same minor; below 0.1.0, and with a pre-release, only
// the same. Where one has none, so must the other.
[[nodiscard]] bool same_track(std::string_view one, std::string_view other);

}  // namespace hotswap::compat
