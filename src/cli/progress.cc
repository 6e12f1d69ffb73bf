#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "cli/table.h"

namespace hotswap::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::size_t kBarCells = 24;

}  // namespace

std::string bar(double share, std::size_t cells) {
  const double bounded = std::clamp(share, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(std::floor(bounded * static_cast<double>(cells)));
  return fmt::format("[{}{}]", std::string(full, '#'), std::string(cells - full, '-'));
}

ProgressLine::ProgressLine(Context& context)
    : context_(context),
      visible_(context.terminal.err && !context.settings.quiet && context.settings.output == OutputFormat::table) {}

ProgressLine::~ProgressLine() { wipe(); }

void ProgressLine::draw(std::string_view line) {
  if (!visible_) return;
  // One column stays free: a full line would wrap and could not be wiped.
  const auto room = context_.terminal.columns > 1 ? context_.terminal.columns - 1 : 1;
  context_.err << "\r\x1b[K" << line.substr(0, room) << std::flush;
  drawn_ = true;
}

void ProgressLine::wipe() {
  if (!drawn_) return;
  context_.err << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

TransferProgress::TransferProgress(Context& context, std::string verb, std::uint64_t total)
    : context_(context),
      line_(context),
      verb_(std::move(verb)),
      total_(total),
      started_(context.clock.steady()),
      drawn_(started_) {}

void TransferProgress::advance(std::uint64_t bytes) {
  moved_ += bytes;
  if (!line_.visible() || total_ <= kSmallest) return;
  const auto now = context_.clock.steady();
  if (moved_ < total_ && moved_ != bytes && now - drawn_ < kRedraw) return;
  drawn_ = now;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double share = static_cast<double>(moved_) / static_cast<double>(total_);
  std::string rate;
  if (seconds > 0) rate = human_size(static_cast<std::uint64_t>(static_cast<double>(moved_) / seconds)) + "/s";
  line_.draw(fmt::format("{} {} {:3.0f}%  {} of {}  {}", verb_, bar(share, kBarCells), share * 100, human_size(moved_),
                         human_size(total_), rate));
}

}  // namespace hotswap::cli
