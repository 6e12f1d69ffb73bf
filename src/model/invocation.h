// One call of an exported function, and the ways in which it may fail. Its result is written by node/gateway.
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

// What a guest asked the sandbox for and was refused; it gets an error of its own WASI, and may go on. See eng_refusal.
enum class RefusalKind {
  Host,         // a host that is not allowed
  Address,      // an address that is not public, by a name that is not allowed as itself
  Requests,     // more than maxOutboundRequests
  Bytes,        // more than maxOutboundMB
  Time,         // an answer that took longer than it may
  Certificate,  // a server that did not prove who it is
  Recursion,    // a request that has led through as many calls as it may
  Path,         // a path that leads out of its directory, or a change where only reading is granted
  Quota,        // more than maxFilesMB or maxFiles
};
BOOST_DESCRIBE_ENUM(RefusalKind, Host, Address, Requests, Bytes, Time, Certificate, Recursion, Path, Quota)

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

}  // namespace hotswap
