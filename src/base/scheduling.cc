#include "base/scheduling.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <tuple>

namespace hotswap {
namespace {

constexpr int kLowest = 19;  // see setpriority(2)

// The shortest and the longest slice that there are (Linux 6.12 and newer; older kernels have one for all). A thread
// that wakes takes the core at once from one whose slice is longer.
constexpr std::uint64_t kShortSlice = 100'000;  // nanoseconds
constexpr std::uint64_t kLongSlice = 100'000'000;

// The first version of what sched_setattr(2) takes, which Debian 12's C library does not declare.
struct Attributes {
  std::uint32_t size = sizeof(Attributes);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;  // the slice
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

void set(int nice, std::uint64_t slice) noexcept {
  Attributes attributes;
  attributes.nice = nice;
  attributes.runtime = slice;
  std::ignore = ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

void favour_latency() noexcept { set(::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())), kShortSlice); }

void run_in_background() noexcept { set(kLowest, kLongSlice); }

}  // namespace hotswap
