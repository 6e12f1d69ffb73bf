#include "base/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace hotswap {
namespace {

std::string exposed_name(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '.', '_');
  return out;
}

prometheus::ClientMetric labelled(const Labels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  return metric;
}

template <class Families, class Fill>
void collect(std::vector<prometheus::MetricFamily>& out, const Families& families, prometheus::MetricType type,
             Fill fill) {
  for (const auto& [name, family] : families) {
    prometheus::MetricFamily exposed{name, family.help, type, {}};
    for (const auto& [labels, instrument] : family.members) {
      auto metric = labelled(labels);
      fill(metric, *instrument);
      exposed.metric.push_back(std::move(metric));
    }
    out.push_back(std::move(exposed));
  }
}

}  // namespace

Histogram::Histogram(std::vector<double> upper_bounds) : bounds_(std::move(upper_bounds)) {
  if (bounds_.size() > kMaxBuckets || !std::ranges::is_sorted(bounds_)) {
    throw std::invalid_argument("histogram bounds must be ascending and at most 24");
  }
}

void Histogram::record(double value) noexcept {
  const auto at = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  buckets_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const noexcept {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) total += bucket(i);
  return total;
}

std::vector<double> latency_bounds() {
  return {1e-5,   2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2,
          2.5e-2, 5e-2,   0.1,  0.25, 0.5,    1,    2.5,  5,      10,   30};
}

std::vector<double> size_bounds() {
  std::vector<double> bounds;
  for (double bound = 1024; bound <= 64.0 * 1024 * 1024; bound *= 4) bounds.push_back(bound);
  return bounds;
}

template <class T, class... Args>
T& Metrics::find_or_make(std::map<std::string, Family<T>, std::less<>>& families, std::deque<T>& store,
                         std::string_view name, std::string_view help, const Labels& labels, Args&&... args) {
  const std::lock_guard lock(mutex_);
  auto& family = families[exposed_name(name)];
  if (family.help.empty()) family.help = help;
  T*& member = family.members[labels];
  if (member == nullptr) member = &store.emplace_back(std::forward<Args>(args)...);
  return *member;
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  return find_or_make(counter_families_, counters_, name, help, labels);
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return find_or_make(gauge_families_, gauges_, name, help, labels);
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                              const Labels& labels) {
  return find_or_make(histogram_families_, histograms_, name, help, labels, std::move(bounds));
}

std::string Metrics::expose() const {
  std::vector<prometheus::MetricFamily> families;
  {
    const std::lock_guard lock(mutex_);
    collect(families, counter_families_, prometheus::MetricType::Counter,
            [](auto& metric, const Counter& counter) { metric.counter.value = static_cast<double>(counter.value()); });
    collect(families, gauge_families_, prometheus::MetricType::Gauge,
            [](auto& metric, const Gauge& gauge) { metric.gauge.value = gauge.value(); });
    collect(families, histogram_families_, prometheus::MetricType::Histogram,
            [](auto& metric, const Histogram& histogram) {
              std::uint64_t cumulative = 0;
              for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
                cumulative += histogram.bucket(i);
                const bool last = i == histogram.bounds().size();
                metric.histogram.bucket.push_back(
                    {cumulative, last ? std::numeric_limits<double>::infinity() : histogram.bounds()[i]});
              }
              metric.histogram.sample_count = cumulative;
              metric.histogram.sample_sum = histogram.sum();
            });
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace hotswap
