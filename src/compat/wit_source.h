// WIT as texts, before and where it cannot be parsed.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/json.h"

namespace hotswap::compat {

struct WitFile {
  std::string path;  // names it in problems; nothing is read
  std::string text;  // WIT; or, as the only file of its package, a WIT package encoded as WebAssembly
};
BOOST_DESCRIBE_STRUCT(WitFile, (), (path, text))
using WitPackage = std::vector<WitFile>;

// The first thing that is wrong, and where it stands. Lines and columns count from 1, columns in characters; both are 0
// where the problem has no place of its own.
struct WitProblem {
  std::string file{};
  std::uint64_t line = 0;
  std::uint64_t column = 0;
  std::uint64_t width = 0;  // how many characters are concerned, from the column on
  std::string text{};       // the offending line
  std::string message{};
};
BOOST_DESCRIBE_STRUCT(WitProblem, (), (file, line, column, width, text, message))

template <class T>
using WitResult = std::expected<T, WitProblem>;

// One of WASI's packages.
struct WasiPackage {
  std::string package;  // "wasi:io@0.2.12"
  std::string path;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(WasiPackage, (), (package, path, text))

}  // namespace hotswap::compat
