// Metrics under the specification's names (source 002, "Metrics"), exposed in the Prometheus text format with dots as
// underscores. Recording is lock-free and never allocates; look an instrument up once and keep the reference.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace hotswap {

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  void add(std::uint64_t by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(double by) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  [[nodiscard]] double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<double> value_{0};
};

// Cumulative histogram over fixed upper bounds.
class Histogram {
 public:
  static constexpr std::size_t kMaxBuckets = 24;
  explicit Histogram(std::vector<double> upper_bounds);
  void record(double value) noexcept;
  [[nodiscard]] const std::vector<double>& bounds() const noexcept { return bounds_; }
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const noexcept {
    return buckets_[i].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t count() const noexcept;
  [[nodiscard]] double sum() const noexcept { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::array<std::atomic<std::uint64_t>, kMaxBuckets + 1> buckets_{};
  alignas(64) std::atomic<double> sum_{0};
};

// Seconds, from 10 µs to 30 s.
[[nodiscard]] std::vector<double> latency_bounds();
// Bytes, from 1 KiB to 64 MiB.
[[nodiscard]] std::vector<double> size_bounds();

// Owns every instrument for the life of the process part that it is given to. Thread-safe. Asking for the same name
// and labels again gives the same instrument.
class Metrics {
 public:
  [[nodiscard]] Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  [[nodiscard]] Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  [[nodiscard]] Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                                     const Labels& labels = {});
  // The whole registry in the Prometheus text format (version 0.0.4).
  [[nodiscard]] std::string expose() const;

 private:
  template <class T>
  struct Family {
    std::string help;
    std::map<Labels, T*> members;
  };
  template <class T, class... Args>
  T& find_or_make(std::map<std::string, Family<T>, std::less<>>& families, std::deque<T>& store, std::string_view name,
                  std::string_view help, const Labels& labels, Args&&... args);

  mutable std::mutex mutex_;
  std::deque<Counter> counters_;
  std::deque<Gauge> gauges_;
  std::deque<Histogram> histograms_;
  std::map<std::string, Family<Counter>, std::less<>> counter_families_;
  std::map<std::string, Family<Gauge>, std::less<>> gauge_families_;
  std::map<std::string, Family<Histogram>, std::less<>> histogram_families_;
};

}  // namespace hotswap
