// One line on a terminal that says how far something is.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "cli/context.h"

namespace hotswap::cli {

// "[########----]" of `cells` characters between the brackets.
[[nodiscard]] std::string bar(double share, std::size_t cells);

// Draws on the context's error stream, and only where that is a terminal and neither --quiet nor a machine-readable
// output asks for silence. The line is wiped when the object ends.
class ProgressLine {
 public:
  explicit ProgressLine(Context& context);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  [[nodiscard]] bool visible() const noexcept { return visible_; }
  void draw(std::string_view line);
  void wipe();

 private:
  Context& context_;
  bool visible_;
  bool drawn_ = false;
};

// Bytes moved, their share and their rate.
class TransferProgress {
 public:
  // Transfers below this size are over before a bar can be read.
  static constexpr std::uint64_t kSmallest = std::uint64_t{256} * 1024;

  TransferProgress(Context& context, std::string verb, std::uint64_t total);
  void advance(std::uint64_t bytes);

 private:
  Context& context_;
  ProgressLine line_;
  std::string verb_;
  std::uint64_t total_;
  std::uint64_t moved_ = 0;
  SteadyPoint started_;
  SteadyPoint drawn_;
};

}  // namespace hotswap::cli
