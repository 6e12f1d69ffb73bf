// Whether a module fits where it is to run: what it imports is there, and what it exports is what it claims. Pure;
// Offers is immutable once filled and then thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "compat/change.h"
#include "compat/core_module.h"
#include "compat/wit.h"

namespace hotswap::compat {

enum class Fit {
  Fits,
  Missing,  // nothing offers it, or the module lacks it
  Differs,  // it is there, with another type
  Unknown,  // an export of an interface that nobody described; nothing to hold it against
};
BOOST_DESCRIBE_ENUM(Fit, Fits, Missing, Differs, Unknown)

struct CheckedItem {
  std::string name;  // "wasi:io/streams@0.2.3", "wasi_snapshot_preview1#fd_write", "handle"
  Fit fit{};
  std::string by;               // what it was held against: "wasi:io@0.2.12"; empty where nothing was found
  std::vector<Change> changes;  // of what the one side wants to what the other has; why it differs
  std::string detail;           // why it does not fit, where there are no changes
};
BOOST_DESCRIBE_STRUCT(CheckedItem, (), (name, fit, by, changes, detail))

struct Conformance {
  bool fits = true;
  std::vector<CheckedItem> imports;
  std::vector<CheckedItem> exports;
};
BOOST_DESCRIBE_STRUCT(Conformance, (), (fits, imports, exports))

// The interfaces that a module may import, and those that its exports are held against.
class Offers {
 public:
  // The interfaces of all its packages; one that was added before stays. With `names` ("wasi:io/streams@0.2.12"),
  // modules may import these alone; the others are only known.
  void add(std::shared_ptr<const Wit> wit, const std::optional<std::set<std::string>>& names = {});
  // What core modules may import.
  void add(CoreInterface interface);

  struct Found {
    const Wit* wit = nullptr;
    std::uint32_t interface = 0;
    bool importable = false;
  };
  // The highest version on the same track; nothing where there is none.
  [[nodiscard]] std::optional<Found> find(const std::string& path, const std::string& version) const;
  // "0.2.12, 0.3.0"
  [[nodiscard]] std::string versions_of(const std::string& path) const;
  [[nodiscard]] const CoreFunction* core(const std::string& name) const;

 private:
  std::vector<std::shared_ptr<const Wit>> wits_;
  std::map<std::string, std::map<std::string, Found>> interfaces_;  // path → version
  std::map<std::string, CoreFunction> core_;                        // "module#name"
};

// A world that a module is said to implement.
struct Claim {
  const Wit& wit;
  std::uint32_t world = 0;
};

// `component` is a decoded component. Its imports may also be the claimed world's.
[[nodiscard]] Conformance check_component(const Wit& component, const Offers& offers,
                                          const std::optional<Claim>& claim);
// A core module, by signatures; `claim` is what the claimed world asks of core modules.
[[nodiscard]] Conformance check_core(const ModuleDescription& module, const Offers& offers,
                                     const std::optional<CoreWorld>& claim);

}  // namespace hotswap::compat
