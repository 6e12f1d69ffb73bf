// The record of calls that the sandbox ended or refused: who, what, and by which limit. See docs/isolation.md.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "node/route_table.h"

namespace hotswap::node {

// What became of a call that is worth an entry. A guest that exits, one that answers nothing and a client that leaves
// are not.
enum class AuditOutcome {
  Trap,
  OutOfMemory,
  Timeout,
  OutputTooLarge,
  TooManyRequests,  // maxConcurrentInvocations calls of the version were running
  NoInstance,       // every instance of the node was taken
  Denied,           // the guest asked for something that it may not have, got an error of its own WASI, and went on
};
BOOST_DESCRIBE_ENUM(AuditOutcome, Trap, OutOfMemory, Timeout, OutputTooLarge, TooManyRequests, NoInstance, Denied)

struct AuditEntry {
  TenantId tenant;
  std::string module;  // its name
  ModuleId moduleId;   // name and version
  Digest digest;
  std::string route;     // path prefix of a handler, or "execute"
  std::string function;  // of an execute
  std::string traceId;   // the request's id, as its reply has it
  NodeId nodeId;
  AuditOutcome outcome = AuditOutcome::Trap;
  // "maxMemoryMB", "stack", …, a RefusalKind where something was denied; empty where a trap is the guest's own mistake
  std::string limit;
  std::optional<int> limitValue;  // where the module states one
  std::string message;            // one line, of at most limits::kAuditTextBytes
  std::uint32_t count = 1;        // of things denied in the call
  std::uint64_t peakMemoryBytes = 0;
  double cpuMs = 0;
  double wallMs = 0;
  std::uint64_t suppressed = 0;  // like entries of this version since the one before, which were left out
};
BOOST_DESCRIBE_STRUCT(AuditEntry, (),
                      (tenant, module, moduleId, digest, route, function, traceId, nodeId, outcome, limit, limitValue,
                       message, count, peakMemoryBytes, cpuMs, wallMs, suppressed))

// Where entries go. Called with one entry at a time.
using AuditSink = std::function<void(const AuditEntry&)>;
// A line of the log with "kind":"audit" and the entry's fields.
void log_audit_entry(const AuditEntry& entry);

// Any thread. Bounded: no guest and no client makes it write more than limits::kAuditNodeEntries in a window, and what
// is left out is counted. What it remembers of a version is forgotten with the window.
class Audit {
 public:
  struct Where {
    std::string_view route;
    std::string_view function;
    const TraceContext& trace;
  };
  Audit(NodeId node, const Clock& clock, Metrics& metrics, AuditSink sink = log_audit_entry);

  // After a call that began: makes an entry where the sandbox ended it.
  void ended(const ReadyVersion& version, const CallOutcome& outcome, const Where& where);
  // After a call that did not begin: makes an entry where a limit was the reason.
  void refused(const ReadyVersion& version, const Error& why, const Where& where);
  // After a call: makes an entry for each kind of thing that the guest was denied.
  void denied(const ReadyVersion& version, const std::vector<Refusal>& refusals, const Where& where);

 private:
  struct Allowance {
    SteadyPoint since;
    std::size_t written = 0;
    std::uint64_t suppressed = 0;
  };
  using Key = std::tuple<TenantId, ModuleId, AuditOutcome, std::string>;  // the last one: the limit

  void record(const ReadyVersion& version, AuditOutcome outcome, const Where& where, AuditEntry entry);
  // How many like it were left out since the last one; nullopt where this one is left out, too. Holds mutex_.
  [[nodiscard]] std::optional<std::uint64_t> admit(const Key& key);

  const NodeId node_;
  const Clock& clock_;
  const AuditSink sink_;
  Counter& written_;
  Counter& suppressed_;
  std::array<Counter*, 2> refusals_{};  // TooManyRequests, NoInstance
  std::mutex mutex_;                    // calls end on every I/O thread
  Allowance all_;
  std::map<Key, Allowance> allowances_;
};

}  // namespace hotswap::node
