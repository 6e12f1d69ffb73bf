// What copies of live requests told about a version that is not in the traffic yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hotswap {

// One request whose copy was answered otherwise than the request itself. Texts are shortened.
struct ShadowExample {
  NodeId nodeId;
  std::string request;  // the function, or the method and the path
  std::string differs;  // "status", "errorType", "returnValue", "body", or the last two with a place: "body at /id"
  std::string live;     // what the client got
  std::string shadow;   // what the version under test answered
  double liveMs = 0;
  double shadowMs = 0;
  std::string traceId;  // of the live request
  bool operator==(const ShadowExample&) const = default;
};
BOOST_DESCRIBE_STRUCT(ShadowExample, (), (nodeId, request, differs, live, shadow, liveMs, shadowMs, traceId))
// "add (returnValue): 5 became 6"
[[nodiscard]] std::string summary(const ShadowExample& example);

// Of one version on one node. Counts only grow within the node's incarnation.
struct ShadowMetrics {
  std::int64_t compared = 0;
  std::int64_t mismatched = 0;
  std::int64_t dropped = 0;           // chosen, and not compared: there was no room, or the node could not run the copy
  std::vector<std::int64_t> latency;  // copies that were compared, by upper bound (latency_bounds())
  std::vector<std::int64_t> liveLatency;  // the requests that they were copied from
  bool operator==(const ShadowMetrics&) const = default;
};
BOOST_DESCRIBE_STRUCT(ShadowMetrics, (), (compared, mismatched, dropped, latency, liveLatency))

// The examples of a version that is being shadowed; at most limits::kShadowExamples.
struct ShadowExamples {
  TenantId tenant;
  ModuleId moduleId;
  std::vector<ShadowExample> examples;
  bool operator==(const ShadowExamples&) const = default;
};
BOOST_DESCRIBE_STRUCT(ShadowExamples, (), (tenant, moduleId, examples))

// What a deployment's shadow stage found, as of its last measurement. Latencies are milliseconds; absent where nothing
// was compared, or the quantile lies above the last bound.
struct ShadowReport {
  std::int64_t compared = 0;
  std::int64_t mismatched = 0;
  std::int64_t dropped = 0;
  std::optional<double> liveP50Ms;
  std::optional<double> liveP99Ms;
  std::optional<double> shadowP50Ms;
  std::optional<double> shadowP99Ms;
  std::vector<ShadowExample> examples;
  bool operator==(const ShadowReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(ShadowReport, (),
                      (compared, mismatched, dropped, liveP50Ms, liveP99Ms, shadowP50Ms, shadowP99Ms, examples))

// At most limits::kShadowExampleBytes of UTF-8, the rest as "…"; what is no plain text has '?' for all but ASCII.
[[nodiscard]] std::string shortened(std::string_view text);

// Up to limits::kShadowExamples that tell different things: adds `example` unless a like one is there.
void keep_example(std::vector<ShadowExample>& examples, ShadowExample example);

}  // namespace hotswap
