// What the machine says about itself: /proc and the file system.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "model/node.h"

namespace hotswap::node {

// Counters of the kernel; they only grow.
struct ProcessorTimes {
  std::uint64_t busy = 0;  // ticks of all processors
  std::uint64_t all = 0;
};
struct Memory {
  std::int64_t total_kib = 0;
  std::int64_t available_kib = 0;
};
// The texts of /proc/stat, /proc/meminfo and /proc/net/dev. Nothing where a text is not what the kernel writes.
[[nodiscard]] std::optional<ProcessorTimes> parse_stat(std::string_view text);
[[nodiscard]] std::optional<Memory> parse_meminfo(std::string_view text);
// Bytes received and sent over all interfaces but the loopback.
[[nodiscard]] std::uint64_t parse_net_dev(std::string_view text);

[[nodiscard]] NodeHardware hardware(const std::filesystem::path& data);

// Not thread-safe. Blocking for microseconds: the kernel answers from memory.
class Machine {
 public:
  // `data` is the folder whose file system is watched.
  Machine(const Clock& clock, std::filesystem::path data) : clock_(clock), data_(std::move(data)) {}
  // Rates are of the time since the last call, and zero at the first. Where that was just now they are as they were:
  // too little happened to tell.
  [[nodiscard]] NodeHealth sample();

 private:
  struct Rates {
    double cpu = 0;
    std::optional<double> process_cpu;
    double network = 0;
  };
  void measure(SteadyPoint now);

  const Clock& clock_;
  std::filesystem::path data_;
  Rates rates_;
  std::optional<SteadyPoint> at_;
  ProcessorTimes times_;
  std::chrono::nanoseconds process_time_{0};
  std::uint64_t network_bytes_ = 0;
};

}  // namespace hotswap::node
