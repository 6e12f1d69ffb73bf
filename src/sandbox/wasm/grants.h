// What a call may use, in the product's terms, kept in the shape that the engine reads.
#pragma once

#include <engine.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/workload.h"

namespace hotswap::wasm {

struct Directory {
  std::string host;
  std::string guest;
  bool writable = false;
};

enum class Network { none, listed, all };

// Value type; immutable once given to Grants.
struct Grant {
  std::uint64_t max_memory_bytes = 0;
  std::uint64_t max_output_bytes = 0;
  std::vector<std::pair<std::string, std::string>> env{};
  std::vector<std::string> args{};
  std::vector<Directory> directories{};
  Network network = Network::none;
  std::vector<std::string> hosts{};
  std::string stdin_bytes{};
  bool inherit_stdio = false;
};

// Owns a Grant and the borrowed views of it that every call of a version shares. Not movable: the views point inside.
class Grants {
 public:
  explicit Grants(Grant grant);
  Grants(const Grants&) = delete;
  Grants& operator=(const Grants&) = delete;
  // As much of the grant as a call with these effects may use.
  [[nodiscard]] const eng_grants& get(Effects effects = Effects::all) const noexcept {
    return views_[static_cast<std::size_t>(effects)];
  }

 private:
  const Grant grant_;
  std::vector<eng_pair> env_;
  std::vector<eng_slice> args_;
  std::vector<eng_directory> directories_;
  std::vector<eng_directory> read_only_directories_;
  std::vector<eng_slice> hosts_;
  std::array<eng_grants, 3> views_{};  // by Effects
};

}  // namespace hotswap::wasm
