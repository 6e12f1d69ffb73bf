#include "base/trace.h"

#include <charconv>

#include "base/limits.h"

namespace hotswap {
namespace {

// Sixteen lower-case digits. Every reply carries some, so this is worth more than a format string.
void write_hex(char* at, std::uint64_t value) noexcept {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int i = 15; i >= 0; --i, value >>= 4) at[i] = kDigits[value & 0xf];
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      value = value << 4 | static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value << 4 | static_cast<std::uint64_t>(c - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return value;
}

}  // namespace

std::string TraceContext::trace_id() const {
  std::string out(32, '0');
  write_hex(out.data(), trace_high);
  write_hex(out.data() + 16, trace_low);
  return out;
}

std::string TraceContext::traceparent() const {
  std::string out("00-00000000000000000000000000000000-0000000000000000-00");
  write_hex(out.data() + 3, trace_high);
  write_hex(out.data() + 19, trace_low);
  write_hex(out.data() + 36, span);
  out.back() = sampled ? '1' : '0';
  return out;
}

std::optional<TraceContext> parse_traceparent(std::string_view header) {
  constexpr std::size_t kSize = 55;
  if (header.size() < kSize || header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  const auto version = parse_hex(header.substr(0, 2));
  const auto high = parse_hex(header.substr(3, 16));
  const auto low = parse_hex(header.substr(19, 16));
  const auto span = parse_hex(header.substr(36, 16));
  const auto flags = parse_hex(header.substr(53, 2));
  if (!version || !high || !low || !span || !flags || *version == 0xff) return std::nullopt;
  // Version 00 has exactly these fields; a later one may add more behind a dash.
  if (header.size() > kSize && (*version == 0 || header[kSize] != '-')) return std::nullopt;
  const TraceContext context{*high, *low, *span, (*flags & 1) != 0};
  if (!context.valid()) return std::nullopt;
  return context;
}

TraceContext new_trace(Random& random, bool sampled) {
  const auto non_zero = [&] {
    std::uint64_t value = 0;
    while (value == 0) value = random.next();
    return value;
  };
  return {non_zero(), random.next(), non_zero(), sampled};
}

Span::Span(Tracer* tracer, SpanRecord record, SteadyPoint started)
    : tracer_(tracer), record_(std::move(record)), started_(started) {}

Span::Span(Span&& other) noexcept
    : tracer_(std::exchange(other.tracer_, nullptr)), record_(std::move(other.record_)), started_(other.started_) {}

Span& Span::operator=(Span&& other) noexcept {
  if (this != &other) {
    end();
    tracer_ = std::exchange(other.tracer_, nullptr);
    record_ = std::move(other.record_);
    started_ = other.started_;
  }
  return *this;
}

Span::~Span() { end(); }

void Span::attribute(std::string_view name, std::string_view text) {
  if (tracer_ != nullptr) record_.attributes.emplace_back(name, boost::json::string(text));
}

void Span::end() noexcept {
  if (tracer_ == nullptr) return;
  record_.duration = tracer_->clock_.steady() - started_;
  std::exchange(tracer_, nullptr)->keep(std::move(record_));
}

Span Tracer::start(std::string_view name, const TraceContext& parent) {
  SpanRecord record;
  record.context = parent;
  if (!parent.sampled) return {nullptr, std::move(record), {}};
  record.name = name;
  record.parent_span = parent.span;
  record.context.span = random_.next() | 1;
  record.start = clock_.now();
  return {this, std::move(record), clock_.steady()};
}

void Tracer::keep(SpanRecord record) {
  const std::lock_guard lock(mutex_);
  if (kept_.size() == limits::kSpansKept) kept_.pop_front();
  kept_.push_back(std::move(record));
}

std::vector<SpanRecord> Tracer::snapshot() const {
  const std::lock_guard lock(mutex_);
  return {kept_.begin(), kept_.end()};
}

}  // namespace hotswap
