#include "cli/rollout_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "cli/output.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "model/deployment.h"

namespace hotswap::cli {
namespace {

constexpr std::size_t kBarCells = 24;
constexpr std::size_t kRegionsShown = 12;
constexpr std::size_t kLabelWidth = 12;

std::string labelled(std::string_view label, std::string_view text) {
  return fmt::format("{:<{}}{}", label, kLabelWidth, text);
}

// `text` on at most `columns` columns.
std::string cut(const std::string& text, std::size_t columns) {
  std::string kept;
  std::size_t width = 0;
  for (const char c : text) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    if (begins && ++width > columns) break;
    kept += c;
  }
  return kept;
}

std::string stage_name(const json::value& step) {
  auto name = text_of(step, "stage");
  return name.empty() ? text_of(step, "kind") : name;
}

}  // namespace

RolloutScreen::RolloutScreen(Context& context)
    : context_(context),
      visible_(context.terminal.err && !context.settings.quiet && context.settings.output == OutputFormat::table) {}

RolloutScreen::~RolloutScreen() { wipe(); }

void RolloutScreen::know(const json::value& deployment) { deployment_ = deployment; }

void RolloutScreen::take(const json::value& event) {
  if (!visible_) return;
  const auto& detail = member(event, "detail");
  const auto type = text_of(event, "type");
  status_ = text_of(event, "status");
  percent_ = number_of(event, "progressPercent");
  last_ = type;
  if (type == enum_name(EventType::StepStarted)) {
    take_step(detail);
  } else if (type == enum_name(EventType::RoutesChanged)) {
    take_routes(member(detail, "routes"));
  } else if (type == enum_name(EventType::AnalysisMeasured)) {
    analysis_.clear();
    for (const auto& metric :
         member(detail, "metrics").is_array() ? member(detail, "metrics").get_array() : json::array()) {
      analysis_.push_back(
          fmt::format("{} {}: {}", text_of(metric, "metric"), text_of(metric, "outcome"), text_of(metric, "reason")));
    }
  } else if (const auto reason = text_of(detail, "reason"); !reason.empty()) {
    last_ += ": " + reason;
  }
  draw();
}

void RolloutScreen::take_step(const json::value& detail) {
  step_ = number_of(detail, "step");
  stage_ = stage_name(detail);
  nodes_ = joined(member(detail, "nodes"));
  analysis_.clear();
}

void RolloutScreen::take_routes(const json::value& routes) {
  routes_.clear();
  if (!routes.is_array()) return;
  const auto candidate = text_of(deployment_, "moduleId");
  for (const auto& route : routes.get_array()) {
    RegionRoute shown{.region = text_of(route, "region"), .weights = {}};
    const auto add = [&](const json::value& versions) {
      if (!versions.is_array()) return;
      for (const auto& version : versions.get_array()) {
        const auto id = text_of(version, "moduleId");
        const auto weight = number_of(version, "weight");
        if (id == candidate) shown.share = static_cast<double>(weight) / 100;
        shown.weights += fmt::format("{}{} {}%", shown.weights.empty() ? "" : "  ", id, weight);
      }
    };
    add(member(route, "versions"));
    const auto& parts = member(route, "onNodes");
    for (const auto& part : parts.is_array() ? parts.get_array() : json::array()) {
      shown.weights += fmt::format("  on {}:", joined(member(part, "nodes"), ","));
      add(member(part, "versions"));
    }
    routes_.push_back(std::move(shown));
  }
}

// "✓ prepare  ✓ canary 10%  ▸ canary 25%  · canary 100%", from the last one that is done.
std::string RolloutScreen::stages() const {
  const auto* plan = member(deployment_, "plan").if_array();
  if (plan == nullptr) return {};
  std::string text;
  std::string previous;
  const std::size_t first = step_ < 2 ? 0 : step_ - 2;
  for (std::size_t i = first; i < plan->size(); ++i) {
    auto name = stage_name((*plan)[i]);
    if (name == previous) continue;
    const char* mark = i < step_ ? "✓" : i == step_ ? "▸" : "·";
    text += fmt::format("{}{} {}", text.empty() ? "" : "  ", mark, name);
    previous = std::move(name);
  }
  return text;
}

std::vector<std::string> RolloutScreen::lines() const {
  std::vector<std::string> lines;
  const auto previous = text_of(deployment_, "previousModuleId");
  lines.push_back(labelled(
      status_, fmt::format("{}{}  {}", text_of(deployment_, "moduleId"),
                           previous.empty() ? "" : " instead of " + previous, text_of(deployment_, "strategy"))));
  const auto* plan = member(deployment_, "plan").if_array();
  auto where = bar(static_cast<double>(percent_) / 100, kBarCells) + fmt::format(" {:3}%  ", percent_);
  if (stage_.empty()) {
    where += last_;
  } else if (plan == nullptr || plan->empty()) {
    where += stage_;
  } else {
    where += fmt::format("step {} of {}: {}", step_ + 1, plan->size(), stage_);
  }
  lines.push_back(labelled("progress", where));
  if (auto text = stages(); !text.empty()) lines.push_back(labelled("stages", text));
  for (std::size_t i = 0; i < std::min(routes_.size(), kRegionsShown); ++i) {
    lines.push_back(fmt::format("{:<{}} {} {}", routes_[i].region, kLabelWidth - 1, bar(routes_[i].share, kBarCells),
                                routes_[i].weights));
  }
  if (routes_.size() > kRegionsShown)
    lines.push_back(fmt::format("and {} more regions", routes_.size() - kRegionsShown));
  if (!nodes_.empty()) lines.push_back(labelled("nodes", nodes_));
  for (std::size_t i = 0; i < analysis_.size(); ++i) lines.push_back(labelled(i == 0 ? "analysis" : "", analysis_[i]));
  if (status_ == enum_name(DeploymentStatus::Paused)) lines.push_back(labelled("paused", last_));
  return lines;
}

void RolloutScreen::draw() {
  if (!visible_) return;
  wipe();
  // One column stays free: a full line would wrap, and the lines above it could not be wiped.
  const auto room = context_.terminal.columns > 1 ? context_.terminal.columns - 1 : 1;
  const auto all = lines();
  for (const auto& line : all) context_.err << cut(line, room) << '\n';
  context_.err << std::flush;
  drawn_ = all.size();
}

void RolloutScreen::wipe() {
  if (drawn_ == 0) return;
  context_.err << fmt::format("\x1b[{}A\r\x1b[J", drawn_) << std::flush;
  drawn_ = 0;
}

}  // namespace hotswap::cli
