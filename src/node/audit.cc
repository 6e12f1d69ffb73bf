#include "node/audit.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace hotswap::node {
namespace {

std::optional<AuditOutcome> outcome_of(GuestFailure failure) {
  switch (failure) {
    case GuestFailure::Trap:
      return AuditOutcome::Trap;
    case GuestFailure::OutOfMemory:
      return AuditOutcome::OutOfMemory;
    case GuestFailure::Timeout:
      return AuditOutcome::Timeout;
    case GuestFailure::OutputTooLarge:
      return AuditOutcome::OutputTooLarge;
    case GuestFailure::Cancelled:
    case GuestFailure::Exit:
    case GuestFailure::NoResponse:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<AuditOutcome> outcome_of(const Error& why) {
  if (why.kind == ErrorKind::kTooManyRequests) return AuditOutcome::TooManyRequests;
  if (why.kind == ErrorKind::kUnavailable) return AuditOutcome::NoInstance;
  return std::nullopt;
}

// The engine's own words for what it bounds by a trap.
constexpr auto kTrapLimits = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"call stack exhausted", "stack"},
    {"resource table has no free keys", "handles"},
    {"store handle limit exceeded", "handles"},
    {"fuel allocated for hostcalls has been exhausted", "transfer"},
    {"total size of fields exceeds limit", "fields"},
    {"requested len", "random"},
});

void name_limit(AuditEntry& entry, const ResourceLimits& limits) {
  switch (entry.outcome) {
    case AuditOutcome::OutOfMemory:
      entry.limit = "maxMemoryMB";
      entry.limitValue = limits.maxMemoryMB;
      return;
    case AuditOutcome::Timeout:
      entry.limit = "maxExecutionTimeSeconds";
      entry.limitValue = limits.maxExecutionTimeSeconds;
      return;
    case AuditOutcome::TooManyRequests:
      entry.limit = "maxConcurrentInvocations";
      entry.limitValue = limits.maxConcurrentInvocations;
      return;
    case AuditOutcome::OutputTooLarge:
      entry.limit = "output";
      return;
    case AuditOutcome::NoInstance:
      entry.limit = "instances";
      return;
    case AuditOutcome::Denied:
      return;  // it is named by whoever denied it
    case AuditOutcome::Trap:
      for (const auto& [words, limit] : kTrapLimits) {
        if (entry.message.contains(words)) entry.limit = limit;
      }
      return;
  }
}

// At most limits::kAuditTextBytes, cut between two characters.
std::string shortened(std::string_view text) {
  if (text.size() <= limits::kAuditTextBytes) return std::string(text);
  std::size_t size = limits::kAuditTextBytes;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) --size;
  return std::string(text.substr(0, size));
}

double milliseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }

}  // namespace

void log_audit_entry(const AuditEntry& entry) {
  const auto text = [](std::string_view value) { return json::value(value); };
  log::warning("call ended or refused by the sandbox", entry.traceId,
               {{"kind", "audit"},
                {"outcome", enum_name(entry.outcome)},
                {"limit", entry.limit.empty() ? json::value() : text(entry.limit)},
                {"limitValue", entry.limitValue ? json::value(*entry.limitValue) : json::value()},
                {"tenant", entry.tenant.str()},
                {"module", entry.module},
                {"moduleId", entry.moduleId.str()},
                {"digest", entry.digest.hex()},
                {"route", entry.route},
                {"function", entry.function.empty() ? json::value() : text(entry.function)},
                {"nodeId", entry.nodeId.str()},
                {"error", entry.message},
                {"count", entry.count},
                {"peakMemoryBytes", entry.peakMemoryBytes},
                {"cpuMs", entry.cpuMs},
                {"wallMs", entry.wallMs},
                {"suppressed", entry.suppressed}});
}

Audit::Audit(NodeId node, const Clock& clock, Metrics& metrics, AuditSink sink)
    : node_(std::move(node)),
      clock_(clock),
      sink_(std::move(sink)),
      written_(metrics.counter("wasm.audit.entries.total", "Audit entries written", {{"node", node_.str()}})),
      suppressed_(metrics.counter("wasm.audit.suppressed.total",
                                  "Audit entries left out because there were too many like them",
                                  {{"node", node_.str()}})) {
  constexpr std::array kRefusals{AuditOutcome::TooManyRequests, AuditOutcome::NoInstance};
  for (std::size_t i = 0; i < kRefusals.size(); ++i) {
    refusals_[i] = &metrics.counter("wasm.calls.refused.total", "Calls that a limit kept from beginning, by kind",
                                    {{"node", node_.str()}, {"kind", std::string(enum_name(kRefusals[i]))}});
  }
}

void Audit::ended(const ReadyVersion& version, const CallOutcome& outcome, const Where& where) {
  if (!outcome.failure) return;
  const auto kind = outcome_of(*outcome.failure);
  if (!kind) return;
  AuditEntry entry;
  entry.message = shortened(outcome.message);
  entry.peakMemoryBytes = outcome.usage.peak_memory_bytes;
  entry.cpuMs = milliseconds(outcome.usage.cpu);
  entry.wallMs = milliseconds(outcome.usage.wall);
  record(version, *kind, where, std::move(entry));
}

void Audit::refused(const ReadyVersion& version, const Error& why, const Where& where) {
  const auto kind = outcome_of(why);
  if (!kind) return;
  refusals_[*kind == AuditOutcome::TooManyRequests ? 0 : 1]->add();
  AuditEntry entry;
  entry.message = shortened(why.detail);
  record(version, *kind, where, std::move(entry));
}

void Audit::denied(const ReadyVersion& version, const std::vector<Refusal>& refusals, const Where& where) {
  for (const auto& refusal : refusals) {
    AuditEntry entry;
    entry.limit = enum_name(refusal.kind);
    entry.message = shortened(refusal.first);
    entry.count = refusal.count;
    record(version, AuditOutcome::Denied, where, std::move(entry));
  }
}

std::optional<std::uint64_t> Audit::admit(const Key& key) {
  const auto now = clock_.steady();
  if (now - all_.since >= limits::kAuditWindow) {
    all_ = {.since = now};
    // What was suppressed waits for the next entry like it; the rest need not be remembered.
    std::erase_if(allowances_, [&](const auto& each) {
      return each.second.suppressed == 0 && now - each.second.since >= limits::kAuditWindow;
    });
    if (allowances_.size() > limits::kModulesPerNode) allowances_.clear();
  }
  auto& own = allowances_.try_emplace(key, Allowance{.since = now}).first->second;
  if (now - own.since >= limits::kAuditWindow) {
    own.since = now;
    own.written = 0;
  }
  if (own.written == limits::kAuditVersionEntries || all_.written == limits::kAuditNodeEntries) {
    ++own.suppressed;
    return std::nullopt;
  }
  ++own.written;
  ++all_.written;
  return std::exchange(own.suppressed, 0);
}

void Audit::record(const ReadyVersion& version, AuditOutcome outcome, const Where& where, AuditEntry entry) {
  std::optional<std::uint64_t> suppressed;
  {
    const std::lock_guard lock(mutex_);
    suppressed = admit({version.tenant, version.id, outcome, entry.limit});
  }
  if (!suppressed) {
    suppressed_.add();
    return;
  }
  written_.add();
  entry.outcome = outcome;
  entry.suppressed = *suppressed;
  entry.tenant = version.tenant;
  entry.module = version.meter->name;
  entry.moduleId = version.id;
  entry.digest = version.digest;
  entry.route = shortened(where.route);
  entry.function = shortened(where.function);
  entry.traceId = where.trace.trace_id();
  entry.nodeId = node_;
  name_limit(entry, version.limits);
  sink_(entry);
}

}  // namespace hotswap::node
