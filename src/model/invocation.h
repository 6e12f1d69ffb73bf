// One call of an exported function and what came of it (source 000, InvocationResult).
#pragma once

#include <optional>
#include <string>

#include "base/json.h"

namespace hotswap {

// Why a guest failed. A platform failure is an Error instead.
enum class GuestFailure {
  Trap,
  OutOfMemory,
  Timeout,
  OutputTooLarge,
  Cancelled,
  Exit,
  NoResponse,
};
BOOST_DESCRIBE_ENUM(GuestFailure, Trap, OutOfMemory, Timeout, OutputTooLarge, Cancelled, Exit, NoResponse)

// How list<u8> comes back.
enum class BytesEncoding { array, base64 };
BOOST_DESCRIBE_ENUM(BytesEncoding, array, base64)

struct ExecuteRequest {
  std::optional<std::string> module;    // a name: the route decides on the version
  std::optional<std::string> moduleId;  // exactly this version
  std::string function;
  json::value params = json::array();  // array, or object by parameter name
  std::optional<Region> region;
  BytesEncoding bytes = BytesEncoding::array;
};
BOOST_DESCRIBE_STRUCT(ExecuteRequest, (), (module, moduleId, function, params, region, bytes))

// `returnValue` is JSON text and is embedded as it is.
struct InvocationResult {
  bool success = false;
  std::string returnValue = "null";
  std::optional<GuestFailure> errorType;
  std::optional<std::string> errorMessage;
  std::optional<std::string> backtrace;
  std::optional<int> exitCode;
  double durationMs = 0;
  std::uint64_t memoryUsedBytes = 0;
  double cpuMs = 0;
  TimePoint timestamp;
  std::string moduleId;
  std::string nodeId;
  std::string traceId;
  std::string stdoutText;
  std::string stderrText;
};

}  // namespace hotswap
