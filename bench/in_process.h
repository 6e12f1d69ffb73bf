// What the programs share that measure in process, and say it in one JSON object.
#pragma once

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hotswap::bench {

using Steady = std::chrono::steady_clock;

[[noreturn]] inline void give_up(std::string_view why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().detail);
  return std::move(*result);
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) give_up(path + " cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

inline double microseconds(Steady::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

inline double percentile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(static_cast<double>(sorted.size() - 1) * share)];
}

// Of microseconds.
inline boost::json::object summary(std::vector<double> samples) {
  std::ranges::sort(samples);
  return {{"rounds", samples.size()},
          {"p50Us", percentile(samples, 0.5)},
          {"p99Us", percentile(samples, 0.99)},
          {"maxUs", percentile(samples, 1)}};
}

template <class F>
boost::json::object measure(int rounds, F&& work) {
  std::vector<double> samples;
  for (int i = 0; i < rounds; ++i) {
    const auto before = Steady::now();
    work();
    samples.push_back(microseconds(Steady::now() - before));
  }
  return summary(std::move(samples));
}

}  // namespace hotswap::bench
