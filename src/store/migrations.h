// The schema, as the numbered steps that lead to it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/connection.h"

namespace hotswap {

struct Migration {
  std::int64_t version = 0;
  std::string_view name;
  std::vector<std::string_view> statements;  // one SQL statement each
};

// In ascending order, without gaps, from 1. A published migration never changes: a new one follows it.
[[nodiscard]] std::span<const Migration> migrations();

// Brings the schema to the newest version, each migration in a transaction of its own. Processes that open the same
// database at once wait for each other. kConflict where the schema is newer than `known`. Throws what SOCI throws.
[[nodiscard]] Result<> migrate(Connection& connection, std::span<const Migration> known);

}  // namespace hotswap
