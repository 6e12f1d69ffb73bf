#include "base/clock.h"

#include <fmt/chrono.h>

#include <charconv>

namespace hotswap {
namespace {

using std::chrono::days;
using std::chrono::milliseconds;

// Reads exactly `digits` decimal digits at `at` and moves past them; -1 where there are none.
int read_digits(std::string_view text, std::size_t& at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = -1;
  const char* begin = text.data() + at;
  auto [end, code] = std::from_chars(begin, begin + digits, value);
  if (code != std::errc{} || end != begin + digits) return -1;
  at += digits;
  return value;
}

bool read_char(std::string_view text, std::size_t& at, std::string_view any_of) {
  if (at >= text.size() || any_of.find(text[at]) == std::string_view::npos) return false;
  ++at;
  return true;
}

}  // namespace

TimePoint SystemClock::now() const { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }
SteadyPoint SystemClock::steady() const { return std::chrono::steady_clock::now(); }

std::string to_rfc3339(TimePoint time) {
  // Nearly every time that is written is of the second that this thread wrote last: only the milliseconds change.
  thread_local std::chrono::sys_seconds last = std::chrono::sys_seconds::max();
  thread_local std::string text;
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (second != last) {
    const auto day = std::chrono::floor<days>(second);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{second - day};
    text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
    last = second;
  }
  auto milliseconds_left = std::chrono::floor<milliseconds>(time - second).count();
  for (std::size_t at = text.size() - 2; milliseconds_left > 0 || text[at] != '.'; --at, milliseconds_left /= 10) {
    text[at] = static_cast<char>('0' + milliseconds_left % 10);
  }
  return text;
}

Result<TimePoint> parse_rfc3339(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorKind::kInvalid,
                fmt::format("expected an RFC 3339 time such as 2026-01-31T12:00:00.000Z, got \"{}\"", text));
  };
  std::size_t at = 0;
  const int year = read_digits(text, at, 4);
  if (year < 0 || !read_char(text, at, "-")) return bad();
  const int month = read_digits(text, at, 2);
  if (month < 0 || !read_char(text, at, "-")) return bad();
  const int day = read_digits(text, at, 2);
  if (day < 0 || !read_char(text, at, "Tt ")) return bad();
  const int hour = read_digits(text, at, 2);
  if (hour < 0 || hour > 23 || !read_char(text, at, ":")) return bad();
  const int minute = read_digits(text, at, 2);
  if (minute < 0 || minute > 59 || !read_char(text, at, ":")) return bad();
  const int second = read_digits(text, at, 2);
  if (second < 0 || second > 60) return bad();
  int millis = 0;
  if (read_char(text, at, ".")) {
    int digits = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
      if (digits < 3) millis = millis * 10 + (text[at] - '0');
    }
    if (digits == 0) return bad();
    for (; digits < 3; ++digits) millis *= 10;
  }
  int offset_minutes = 0;
  if (!read_char(text, at, "Zz")) {
    if (at >= text.size()) return bad();
    const int sign = text[at] == '-' ? -1 : 1;
    if (!read_char(text, at, "+-")) return bad();
    const int hours = read_digits(text, at, 2);
    if (hours < 0 || hours > 23 || !read_char(text, at, ":")) return bad();
    const int minutes = read_digits(text, at, 2);
    if (minutes < 0 || minutes > 59) return bad();
    offset_minutes = sign * (hours * 60 + minutes);
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (at != text.size() || !date.ok()) return bad();
  return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute - offset_minutes} +
         std::chrono::seconds{second} + milliseconds{millis};
}

}  // namespace hotswap
