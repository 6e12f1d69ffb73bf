#include "node/machine.h"

#include <sched.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "base/limits.h"

namespace hotswap::node {
namespace {

constexpr std::int64_t kKiBInMiB = 1024;
constexpr std::uint64_t kGiB = 1024ULL * 1024 * 1024;
constexpr double kBitsInMegabit = 1e6;

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Of all threads of this process.
std::chrono::nanoseconds process_time() {
  timespec time{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// That this process may use.
int processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

struct Disk {
  std::uint64_t total = 0;
  std::uint64_t used = 0;
};

Disk disk(const std::filesystem::path& folder) {
  struct statvfs stats{};
  if (::statvfs(folder.c_str(), &stats) != 0) return {};
  return {.total = stats.f_blocks * stats.f_frsize, .used = (stats.f_blocks - stats.f_bfree) * stats.f_frsize};
}

}  // namespace

std::optional<ProcessorTimes> parse_stat(std::string_view text) {
  std::istringstream line(std::string(text.substr(0, text.find('\n'))));
  std::string name;
  line >> name;
  if (name != "cpu") return std::nullopt;
  constexpr int kIdle = 3;     // user, nice, system, idle, iowait, …
  constexpr int kWaiting = 4;  // for a disk: as good as idle
  constexpr int kGuest = 8;    // counted under user already
  ProcessorTimes times;
  std::uint64_t ticks = 0;
  for (int i = 0; i < kGuest && line >> ticks; ++i) {
    times.all += ticks;
    if (i != kIdle && i != kWaiting) times.busy += ticks;
  }
  if (times.all == 0) return std::nullopt;
  return times;
}

std::optional<Memory> parse_meminfo(std::string_view text) {
  std::istringstream lines{std::string(text)};
  Memory memory;
  std::string name;
  std::int64_t kib = 0;
  std::string rest;
  while (lines >> name >> kib && std::getline(lines, rest)) {
    if (name == "MemTotal:") memory.total_kib = kib;
    if (name == "MemAvailable:") memory.available_kib = kib;
  }
  if (memory.total_kib == 0) return std::nullopt;
  return memory;
}

std::uint64_t parse_net_dev(std::string_view text) {
  constexpr int kReceived = 0;
  constexpr int kSent = 8;
  std::istringstream lines{std::string(text)};
  std::string line;
  std::uint64_t bytes = 0;
  while (std::getline(lines, line)) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto name = line.find_first_not_of(' ');
    if (line.substr(name, colon - name) == "lo") continue;
    std::istringstream fields(line.substr(colon + 1));
    std::uint64_t value = 0;
    for (int i = 0; i <= kSent && fields >> value; ++i) {
      if (i == kReceived || i == kSent) bytes += value;
    }
  }
  return bytes;
}

NodeHardware hardware(const std::filesystem::path& data) {
  NodeHardware found;
  found.cpuCores = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  if (const auto memory = parse_meminfo(read_file("/proc/meminfo"))) {
    found.totalMemoryMB = memory->total_kib / kKiBInMiB;
  }
  found.totalDiskGB = static_cast<std::int64_t>(disk(data).total / kGiB);
  utsname name{};
  if (::uname(&name) == 0) {
    found.operatingSystem = name.sysname;
    found.architecture = name.machine;
  }
  return found;
}

void Machine::measure(SteadyPoint now) {
  const auto times = parse_stat(read_file("/proc/stat")).value_or(times_);
  const auto process = process_time();
  const std::uint64_t network = parse_net_dev(read_file("/proc/net/dev"));
  if (at_) {
    const double seconds = std::chrono::duration<double>(now - *at_).count();
    rates_ = {};
    if (times.all > times_.all) {
      rates_.cpu = 100.0 * static_cast<double>(times.busy - times_.busy) / static_cast<double>(times.all - times_.all);
    }
    const double busy = std::chrono::duration<double>(process - process_time_).count();
    rates_.process_cpu = std::clamp(100.0 * busy / seconds / processors(), 0.0, 100.0);
    // An interface that went away takes its counters with it.
    if (network >= network_bytes_) {
      rates_.network = static_cast<double>(network - network_bytes_) * 8 / kBitsInMegabit / seconds;
    }
  }
  at_ = now;
  times_ = times;
  process_time_ = process;
  network_bytes_ = network;
}

NodeHealth Machine::sample() {
  const SteadyPoint now = clock_.steady();
  if (!at_ || now - *at_ >= limits::kRateWindow) measure(now);
  NodeHealth health;
  health.cpuUsagePercent = rates_.cpu;
  health.processCpuPercent = rates_.process_cpu;
  health.networkMbps = rates_.network;
  if (const auto memory = parse_meminfo(read_file("/proc/meminfo"))) {
    health.memoryUsageMB = (memory->total_kib - memory->available_kib) / kKiBInMiB;
  }
  health.diskUsageGB = static_cast<std::int64_t>(disk(data_).used / kGiB);
  return health;
}

}  // namespace hotswap::node
