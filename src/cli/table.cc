#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace hotswap::cli {
namespace {

constexpr std::size_t kGap = 2;        // between columns
constexpr std::size_t kNarrowest = 8;  // a shrunk column keeps this much

bool continues_code_point(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

std::string shortened(const std::string& text, std::size_t width) {
  if (display_width(text) <= width) return text;
  std::string kept;
  std::size_t points = 0;
  for (const char c : text) {
    if (!continues_code_point(c) && ++points == width) break;
    kept += c;
  }
  return kept + "…";
}

}  // namespace

std::size_t display_width(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !continues_code_point(c); }));
}

std::string_view status_color(std::string_view word) noexcept {
  if (word == "Active" || word == "Completed") return "\x1b[32m";
  if (word == "Failed" || word == "RolledBack" || word == "Cancelled" || word == "Disabled") return "\x1b[31m";
  if (word == "InProgress" || word == "Paused" || word == "Deprecated") return "\x1b[33m";
  return {};
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(std::size_t bound) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
  }
  if (bound == 0) return widths;
  const auto total = [&] { return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1)); };
  while (total() > bound) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!columns_[i].shrinks || widths[i] <= kNarrowest) continue;
      if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns_.size()) break;  // nothing left to shrink: the terminal wraps
    --widths[widest];
  }
  return widths;
}

std::string Table::text(std::size_t width, bool color) const {
  const auto column_widths = widths(width);
  std::string text;
  const auto add_line = [&](const auto& cell_of, bool title) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = shortened(cell_of(i), column_widths[i]);
      const std::string padding(column_widths[i] - display_width(cell), ' ');
      const std::string_view tone = !color ? std::string_view() : title ? kBold : status_color(cell);
      if (i != 0) line.append(kGap, ' ');
      if (columns_[i].right) line += padding;
      line += tone;
      line += cell;
      if (!tone.empty()) line += kPlain;
      if (!columns_[i].right) line += padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  add_line([&](std::size_t i) { return columns_[i].title; }, true);
  for (const auto& row : rows_) add_line([&](std::size_t i) { return row[i]; }, false);
  return text;
}

void Sheet::add(std::string name, std::string value) {
  if (!value.empty()) lines_.emplace_back(std::move(name), std::move(value));
}

std::string Sheet::text(bool color) const {
  std::size_t width = 0;
  for (const auto& [name, value] : lines_) width = std::max(width, display_width(name) + 1);
  std::string text;
  for (const auto& [name, value] : lines_) {
    text += fmt::format("{}{}:{}", color ? kBold : "", name, color ? kPlain : "");
    text.append(width - display_width(name) - 1 + kGap, ' ');
    const std::string_view tone = color ? status_color(value) : std::string_view();
    text += tone;
    for (const char c : value) {
      text += c;
      if (c == '\n') text.append(width + kGap, ' ');
    }
    if (!tone.empty()) text += kPlain;
    text += '\n';
  }
  return text;
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be printed as 1024.0.
  while (size >= 1023.95 && unit + 1 < kUnits.size()) {
    size /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string human_age(TimePoint then, TimePoint now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  if (seconds < 1) return "now";
  if (seconds < 2 * kMinute) return fmt::format("{}s", seconds);
  if (seconds < 2 * kHour) return fmt::format("{}m", seconds / kMinute);
  if (seconds < 2 * kDay) return fmt::format("{}h", seconds / kHour);
  return fmt::format("{}d", seconds / kDay);
}

std::string human_milliseconds(double milliseconds) {
  if (milliseconds < 1) return fmt::format("{:.0f}µs", milliseconds * 1000);
  if (milliseconds < 1000) return fmt::format("{:.1f}ms", milliseconds);
  return fmt::format("{:.1f}s", milliseconds / 1000);
}

}  // namespace hotswap::cli
