// Rates and latencies of every version, from several looks at what the control plane has counted.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

namespace hotswap::cli {

struct TrafficLine {
  std::string name;  // of the route
  std::string region;
  std::string moduleId;
  std::optional<int> weight;  // percent of the route's requests; absent where it is not routed, or by node
  double requestsPerSecond = 0;
  double failedPercent = 0;
  std::optional<double> p50Ms;  // absent where nothing was called within the window
  std::optional<double> p99Ms;
  std::vector<double> trend{};  // requests per second between looks, oldest first
};
BOOST_DESCRIBE_STRUCT(TrafficLine, (), (name, region, moduleId, weight, requestsPerSecond, failedPercent, p50Ms, p99Ms))

enum class TrafficOrder { rate, failures, p99, name };
BOOST_DESCRIBE_ENUM(TrafficOrder, rate, failures, p99, name)

class TrafficView {
 public:
  static constexpr std::size_t kTrend = 20;  // looks that a trend reaches back

  // Rates and latencies are of looks at most `window` apart, or of the last two.
  explicit TrafficView(std::chrono::milliseconds window) : window_(window) {}

  // The documents of GET traffic and GET routes, as of now. Counters that went back (another control plane) begin anew.
  void look(const json::value& traffic, const json::value& routes, SteadyPoint now);

  // Of the window: routed versions, and those called without a route. Ties by name, region, version.
  [[nodiscard]] std::vector<TrafficLine> lines(TrafficOrder order) const;
  // How long the looks reach back, at most the window; 0 before the second look.
  [[nodiscard]] std::chrono::milliseconds covered() const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // name, region, version
  struct Counts {
    std::int64_t requests = 0;
    std::int64_t failures = 0;
    std::vector<std::int64_t> latency;
  };
  struct Look {
    SteadyPoint at;
    std::map<Key, Counts> counts;
  };
  [[nodiscard]] TrafficLine line(const Key& key, std::optional<int> weight) const;
  // Where the window begins; there are two looks.
  [[nodiscard]] const Look& first() const;
  [[nodiscard]] Counts within(const Key& key, const Look& from, const Look& to) const;

  std::chrono::milliseconds window_;
  std::vector<double> bounds_ms_;
  std::deque<Look> looks_;
  std::map<Key, std::optional<int>> routed_;
};

// One character for each value, from ' ' for none to a full block for the largest.
[[nodiscard]] std::string sparkline(const std::vector<double>& values);

}  // namespace hotswap::cli
