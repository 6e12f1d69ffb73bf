#include "cli/traffic_view.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/output.h"
#include "rollout/analysis.h"

namespace hotswap::cli {
namespace {

constexpr double kMillisecondsInSecond = 1000;
constexpr double kPercent = 100;

double seconds_between(SteadyPoint from, SteadyPoint to) { return std::chrono::duration<double>(to - from).count(); }

std::int64_t count_of(const json::value& value, std::string_view name) {
  return static_cast<std::int64_t>(number_of(value, name));
}

}  // namespace

void TrafficView::look(const json::value& traffic, const json::value& routes, SteadyPoint now) {
  bounds_ms_.clear();
  if (const auto* bounds = member(traffic, "latencyBoundsSeconds").if_array()) {
    for (const auto& bound : *bounds) bounds_ms_.push_back(bound.to_number<double>() * kMillisecondsInSecond);
  }
  Look look{.at = now, .counts = {}};
  for (const auto& row : items_of(traffic)) {
    Counts counts{.requests = count_of(row, "requests"), .failures = count_of(row, "failures"), .latency = {}};
    if (const auto* latency = member(row, "latency").if_array()) {
      for (const auto& count : *latency) counts.latency.push_back(count.to_number<std::int64_t>());
    }
    look.counts.emplace(Key{text_of(row, "name"), text_of(row, "region"), text_of(row, "moduleId")}, std::move(counts));
  }
  looks_.push_back(std::move(look));
  if (looks_.size() > kTrend + 1) looks_.pop_front();

  routed_.clear();
  for (const auto& route : items_of(routes)) {
    const auto* parts = member(route, "onNodes").if_array();
    const bool by_node = parts != nullptr && !parts->empty();
    const auto* versions = member(route, "versions").if_array();
    if (versions == nullptr) continue;
    for (const auto& version : *versions) {
      const Key key{text_of(route, "name"), text_of(route, "region"), text_of(version, "moduleId")};
      routed_[key] = by_node ? std::nullopt : std::optional(static_cast<int>(number_of(version, "weight")));
    }
  }
}

// What was counted from one look to a later one. A counter that went back is one that began anew.
TrafficView::Counts TrafficView::within(const Key& key, const Look& from, const Look& to) const {
  const auto after = to.counts.find(key);
  if (after == to.counts.end()) return {};
  Counts counts = after->second;
  const auto before = from.counts.find(key);
  if (before == from.counts.end() || before->second.requests > counts.requests) return counts;
  counts.requests -= before->second.requests;
  counts.failures -= before->second.failures;
  const auto shared = std::min(counts.latency.size(), before->second.latency.size());
  for (std::size_t i = 0; i < shared; ++i) counts.latency[i] -= before->second.latency[i];
  return counts;
}

const TrafficView::Look& TrafficView::first() const {
  for (std::size_t i = 0; i + 2 < looks_.size(); ++i) {
    if (looks_.back().at - looks_[i].at <= window_) return looks_[i];
  }
  return looks_[looks_.size() - 2];
}

std::chrono::milliseconds TrafficView::covered() const {
  if (looks_.size() < 2) return {};
  return std::chrono::duration_cast<std::chrono::milliseconds>(looks_.back().at - first().at);
}

TrafficLine TrafficView::line(const Key& key, std::optional<int> weight) const {
  TrafficLine line{.name = std::get<0>(key),
                   .region = std::get<1>(key),
                   .moduleId = std::get<2>(key),
                   .weight = weight,
                   .p50Ms = {},
                   .p99Ms = {}};
  if (looks_.size() < 2) return line;
  for (std::size_t i = 1; i < looks_.size(); ++i) {
    const double seconds = seconds_between(looks_[i - 1].at, looks_[i].at);
    const auto requests = static_cast<double>(within(key, looks_[i - 1], looks_[i]).requests);
    line.trend.push_back(seconds > 0 ? requests / seconds : 0);
  }
  const Counts counts = within(key, first(), looks_.back());
  const double seconds = seconds_between(first().at, looks_.back().at);
  if (counts.requests <= 0 || seconds <= 0) return line;
  const auto requests = static_cast<double>(counts.requests);
  line.requestsPerSecond = requests / seconds;
  line.failedPercent = kPercent * static_cast<double>(counts.failures) / requests;
  rollout::LatencyHistogram histogram{.bounds = bounds_ms_, .counts = {}};
  for (const auto count : counts.latency) histogram.counts.push_back(static_cast<std::uint64_t>(std::max(count, 0L)));
  histogram.counts.resize(bounds_ms_.size() + 1);
  if (bounds_ms_.empty() || std::ranges::all_of(histogram.counts, [](auto count) { return count == 0; })) return line;
  constexpr double kAnyConfidence = 0.05;  // only the estimate itself is shown
  line.p50Ms = rollout::quantile(histogram, 0.5, kAnyConfidence).value;
  line.p99Ms = rollout::quantile(histogram, 0.99, kAnyConfidence).value;
  return line;
}

std::vector<TrafficLine> TrafficView::lines(TrafficOrder order) const {
  std::vector<TrafficLine> lines;
  for (const auto& [key, weight] : routed_) lines.push_back(line(key, weight));
  if (!looks_.empty()) {
    for (const auto& [key, counts] : looks_.back().counts) {
      if (routed_.contains(key)) continue;
      auto unrouted = line(key, std::nullopt);
      if (unrouted.requestsPerSecond > 0) lines.push_back(std::move(unrouted));
    }
  }
  const auto rank = [order](const TrafficLine& line) {
    switch (order) {
      case TrafficOrder::rate:
        return line.requestsPerSecond;
      case TrafficOrder::failures:
        return line.failedPercent;
      case TrafficOrder::p99:
        return line.p99Ms.value_or(0);
      case TrafficOrder::name:
        break;
    }
    return 0.0;
  };
  std::ranges::sort(lines, [&](const TrafficLine& a, const TrafficLine& b) {
    if (rank(a) != rank(b)) return rank(a) > rank(b);
    return std::tie(a.name, a.region, a.moduleId) < std::tie(b.name, b.region, b.moduleId);
  });
  return lines;
}

std::string sparkline(const std::vector<double>& values) {
  constexpr std::array<std::string_view, 8> kBlocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double most = values.empty() ? 0 : std::ranges::max(values);
  std::string text;
  for (const double value : values) {
    if (value <= 0) {
      text += ' ';
      continue;
    }
    const auto level = static_cast<std::size_t>(std::ceil(value / most * kBlocks.size())) - 1;
    text += kBlocks.at(std::min(level, kBlocks.size() - 1));
  }
  return text;
}

}  // namespace hotswap::cli
