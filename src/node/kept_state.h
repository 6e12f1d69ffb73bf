// What a node last served, on its disk: it starts with it when no control plane is in sight.
#pragma once

#include <filesystem>
#include <optional>

#include "model/desired_state.h"

namespace hotswap::node {

// Blocking; one thread at a time.
class KeptState {
 public:
  explicit KeptState(std::filesystem::path file) : file_(std::move(file)) {}
  // Nothing where nothing was kept, or where it cannot be read (which is logged: the control plane tells it again).
  [[nodiscard]] std::optional<DesiredState> load() const;
  // Whole or not at all, also over a crash.
  [[nodiscard]] Result<> save(const DesiredState& state) const;

 private:
  std::filesystem::path file_;
};

// Replaces a file so that a crash leaves the old one or the new one. `mode` as for open(2).
[[nodiscard]] Result<> replace_file(const std::filesystem::path& file, std::string_view content, unsigned mode);
// Nothing where there is no such file.
[[nodiscard]] std::optional<std::string> read_whole(const std::filesystem::path& file);

}  // namespace hotswap::node
