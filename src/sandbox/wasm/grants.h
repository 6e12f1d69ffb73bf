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

// Guests reach nothing; what is listed; every public address and what is listed; whatever the process reaches.
enum class Network { none, listed, open, host };

// Bounds on all that a call does over the network; see eng_outbound.
struct Outbound {
  std::uint32_t max_requests = 0;
  std::uint64_t max_sent_bytes = 0;
  std::uint64_t max_received_bytes = 0;
};

// Of the files in a folder; see eng_quota. An empty folder has none.
struct Quota {
  std::string folder;
  std::uint64_t max_bytes = 0;
  std::uint64_t max_entries = 0;
};

// Value type; immutable once given to Grants.
struct Grant {
  std::uint64_t max_memory_bytes = 0;
  std::uint64_t max_output_bytes = 0;
  std::vector<std::pair<std::string, std::string>> env{};
  std::vector<std::string> args{};
  std::vector<Directory> directories{};
  Quota quota{};
  Network network = Network::none;
  std::vector<std::string> hosts{};
  Outbound outbound{};
  std::string stdin_bytes{};
  bool inherit_stdio = false;
};

// Owns a Grant and the borrowed views of it that every call of a version shares. Not movable: the views point inside.
class Grants {
 public:
  explicit Grants(Grant grant);
  Grants(const Grants&) = delete;
  Grants& operator=(const Grants&) = delete;
  // As much of the grant as a call with these effects may use. `via`: CDN-Loop of the request that it answers, which
  // must outlive the start of the call.
  [[nodiscard]] eng_grants get(Effects effects = Effects::all, std::string_view via = {}) const noexcept;

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
