// `hotswap interface` against a server: its registry of interfaces.
#pragma once

#include <optional>
#include <string>

#include "cli/context.h"

namespace CLI {
class App;
}

namespace hotswap::cli {

// push, ls, show, submit, approve, reject, deprecate
void add_interface_registry_commands(CLI::App& group, Context& context);

// "acme:shop@1.0.0", and no file of that name.
[[nodiscard]] bool is_interface_id(const std::string& word);
// What changed between two registered versions; `mode` is empty for the newer one's own. The exit code is that of
// `diff`.
[[nodiscard]] Outcome<int> diff_registered(Context& context, const std::string& from, const std::string& to,
                                           const std::optional<std::string>& mode);
// Holds a .wasm file against what is registered.
[[nodiscard]] Outcome<int> check_registered(Context& context, const std::string& module, const std::string& world);

}  // namespace hotswap::cli
