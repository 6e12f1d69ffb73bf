// Time as a constructor argument: nothing in the product calls now() in the middle of logic.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"

namespace hotswap {

// Wall-clock instants are UTC with millisecond precision, as the API shows them (RFC 3339).
using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;
using SteadyPoint = std::chrono::steady_clock::time_point;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
  [[nodiscard]] virtual SteadyPoint steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override;
  [[nodiscard]] SteadyPoint steady() const override;
};

// A clock that tests move by hand. Not thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimePoint start) : now_(start) {}
  [[nodiscard]] TimePoint now() const override { return now_; }
  [[nodiscard]] SteadyPoint steady() const override { return steady_; }
  void advance(std::chrono::milliseconds by) {
    now_ += by;
    steady_ += by;
  }

 private:
  TimePoint now_;
  SteadyPoint steady_;
};

// "2026-11-21T08:03:42.123Z"
[[nodiscard]] std::string to_rfc3339(TimePoint time);
// Accepts offsets and up to nanoseconds (truncated to milliseconds).
[[nodiscard]] Result<TimePoint> parse_rfc3339(std::string_view text);

}  // namespace hotswap
