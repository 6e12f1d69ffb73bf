// Aligned plain tables and key-value lists, and values as people read them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace hotswap::cli {

struct Column {
  std::string title;
  bool right = false;    // numbers
  bool shrinks = false;  // may lose its end ("…") where the terminal is too narrow
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as columns.
  void add(std::vector<std::string> cells);
  // `width` 0 = unbounded. With `color` the title line is bold and status words have their colour.
  [[nodiscard]] std::string text(std::size_t width, bool color) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t bound) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "Name:      value" lines, values aligned; an empty value leaves its line out. A value of several lines is continued
// under itself.
class Sheet {
 public:
  void add(std::string name, std::string value);
  [[nodiscard]] std::string text(bool color) const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

// Code points, which is what a terminal shows for the text that this program prints.
[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;

// "512 B", "1.5 KiB", "48.0 MiB"
[[nodiscard]] std::string human_size(std::uint64_t bytes);
// "12s", "3m", "5h", "2d" ago; "now" below a second or for a clock that runs behind.
[[nodiscard]] std::string human_age(TimePoint then, TimePoint now);
// "450µs", "12.3ms", "4.2s"
[[nodiscard]] std::string human_milliseconds(double milliseconds);
// The terminal's colour for a status of a module or deployment; "" for other words.
[[nodiscard]] std::string_view status_color(std::string_view word) noexcept;

inline constexpr std::string_view kBold = "\x1b[1m";
inline constexpr std::string_view kPlain = "\x1b[0m";

}  // namespace hotswap::cli
