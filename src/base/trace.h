// W3C trace context and spans. A span is kept in a bounded in-memory ring until an exporter takes it.
#pragma once

#include <boost/json/value.hpp>

#include <concepts>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"

namespace hotswap {

// The trace that a request belongs to and the span that is its parent here. Value type; formatting is on demand.
struct TraceContext {
  std::uint64_t trace_high = 0;
  std::uint64_t trace_low = 0;
  std::uint64_t span = 0;
  bool sampled = false;

  // 32 lower-case hex digits.
  [[nodiscard]] std::string trace_id() const;
  // "00-<trace>-<span>-<flags>"
  [[nodiscard]] std::string traceparent() const;
  [[nodiscard]] bool valid() const noexcept { return (trace_high | trace_low) != 0 && span != 0; }
  bool operator==(const TraceContext&) const = default;
};

// A malformed header starts a new trace (W3C Trace Context, section 3.2.2.3), so it is not an error.
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view header);
[[nodiscard]] TraceContext new_trace(Random& random, bool sampled);

struct SpanRecord {
  std::string name;  // one of source 002, "Distributed Tracing"
  TraceContext context;
  std::uint64_t parent_span = 0;
  TimePoint start;
  std::chrono::nanoseconds duration{0};
  bool failed = false;
  std::vector<std::pair<std::string, boost::json::value>> attributes;
};

class Tracer;

// Ends when it is destroyed. Move-only; belongs to one coroutine.
class Span {
 public:
  Span() = default;
  Span(Span&& other) noexcept;
  Span& operator=(Span&& other) noexcept;
  ~Span();

  [[nodiscard]] const TraceContext& context() const noexcept { return record_.context; }
  // Costs nothing where the trace is not sampled.
  void attribute(std::string_view name, std::string_view text);
  void attribute(std::string_view name, std::integral auto number) {
    if (tracer_ != nullptr) record_.attributes.emplace_back(name, number);
  }
  void attribute(std::string_view name, const std::string& text) { attribute(name, std::string_view(text)); }
  void attribute(std::string_view name, const char* text) { attribute(name, std::string_view(text)); }
  void fail() noexcept { record_.failed = true; }

 private:
  friend class Tracer;
  Span(Tracer* tracer, SpanRecord record, SteadyPoint started);
  void end() noexcept;

  Tracer* tracer_ = nullptr;
  SpanRecord record_;
  SteadyPoint started_;
};

// Thread-safe. Keeps the newest limits::kSpansKept spans.
class Tracer {
 public:
  Tracer(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
  // A child of `parent`; an unsampled parent gives a span that carries the context and records nothing.
  [[nodiscard]] Span start(std::string_view name, const TraceContext& parent);
  [[nodiscard]] TraceContext root(bool sampled) { return new_trace(random_, sampled); }
  [[nodiscard]] std::vector<SpanRecord> snapshot() const;

 private:
  friend class Span;
  void keep(SpanRecord record);

  const Clock& clock_;
  Random& random_;
  mutable std::mutex mutex_;
  std::deque<SpanRecord> kept_;
};

}  // namespace hotswap
