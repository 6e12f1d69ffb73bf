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
