// How a workload of any kind runs: one prepared version, called or served on the thread that asks.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "model/invocation.h"
#include "net/http.h"

namespace hotswap {

// What a call used.
struct Usage {
  std::uint64_t peak_memory_bytes = 0;  // over all memories and tables
  std::chrono::nanoseconds cpu{0};      // time on the thread
  std::chrono::nanoseconds wall{0};
  std::chrono::nanoseconds throttled{0};  // resumption delayed to hold the CPU percentage
  std::uint32_t yields = 0;               // epoch interruptions
  bool aside = false;                     // it computed where no other call waits for it
};

// All refusals of one kind in a call.
struct Refusal {
  RefusalKind kind{};
  std::uint32_t count = 0;
  std::string first;  // what was asked for, as the guest put it, cut
};

// What came of a call. A guest's own failure is an outcome; a platform failure is an Error.
struct CallOutcome {
  std::optional<GuestFailure> failure;  // absent = success
  std::string value;                    // JSON result of a function
  std::string message;                  // why it failed, one line
  std::string backtrace;                // wasm frames, one a line
  int exit_code = 0;
  unsigned status = 0;  // of an HTTP handler's answer; 0 where it gave none
  std::string stdout_text;
  std::string stderr_text;
  std::vector<Refusal> refusals{};
  Usage usage;
};

// Says which intermediaries a request has passed, this product's calls among them (RFC 8586).
inline constexpr std::string_view kViaHeader = "CDN-Loop";

// What a call may do beyond its own instance. A copy of a live request may do less: its effects are there already.
enum class Effects {
  all,       // what the version is granted
  outbound,  // call out as granted; files are read-only
  none,      // no network; files are read-only
};

struct FunctionCall {
  std::string_view function;  // "fn", "interface#fn", "ns:pkg/interface@version#fn", or a shorter form that is unique
  std::string_view params;    // JSON array, or object by parameter name
  BytesEncoding bytes = BytesEncoding::array;
  Effects effects = Effects::all;
  std::string_view via{};  // the request's CDN-Loop: what the call sends out carries it on
};

struct HttpCall {
  std::size_t prefix_size = 0;  // bytes of the path that the guest does not see; it finds them in x-forwarded-prefix
  Effects effects = Effects::all;
};

// One version, compiled and linked. Immutable apart from its permits and counters; shared by the snapshot and by every
// request in flight, and dropped when the last of them ends. Any thread may call; a call stays on its thread.
class Workload {
 public:
  virtual ~Workload() = default;

  // Runs a function in a fresh instance. `watch`, where given, is the caller's exchange: the call is cancelled when its
  // client leaves. kTooManyRequests when maxConcurrentInvocations are running; kInvalid for parameters that do not fit;
  // kNotFound for an unknown function.
  virtual Task<Result<CallOutcome>> invoke(FunctionCall call, net::Exchange* watch) = 0;

  // Serves one HTTP request in a fresh instance, streaming both ways, and replies on the exchange: also with a problem
  // document where the guest failed before its first byte. The outcome is for metering.
  virtual Task<Result<CallOutcome>> serve(net::Exchange& exchange, HttpCall call) = 0;

  // Whether serve() is possible.
  [[nodiscard]] virtual bool serves_http() const noexcept = 0;
};

}  // namespace hotswap
