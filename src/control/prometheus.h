// What a Prometheus server says to the queries of an analysis.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/task.h"
#include "net/web_client.h"

namespace hotswap::control {

// Values and problems by query. A query that gave no sample, or NaN, is in neither: there may be one later.
struct QueryAnswers {
  std::map<std::string, double> values;
  std::map<std::string, std::string> problems;
};

// Instant queries of the HTTP API (GET …/api/v1/query). Any thread; calls must have ended before this
// object goes.
class Prometheus {
 public:
  // `url`: "http://host:9090" or https, or with a path before /api. kInvalid for anything else. `client` outlives this,
  // and its end is the end of what is being asked.
  [[nodiscard]] static Result<std::unique_ptr<Prometheus>> create(net::WebClient& client, std::string_view url);

  // One after the other, within `timeout` together. Each must have exactly one sample as its result.
  Task<QueryAnswers> ask(std::vector<std::string> queries,
                         std::chrono::milliseconds timeout = limits::kPrometheusTimeout);

 private:
  Prometheus(net::WebClient& client, std::string url);
  Task<Result<std::optional<double>>> ask_one(std::string query, std::chrono::milliseconds timeout);

  net::WebClient& client_;
  std::string url_;  // of the queries' endpoint
};

// The value in the document that answers a query; absent where there is no sample, or NaN.
[[nodiscard]] Result<std::optional<double>> sample_of(std::string_view document);

}  // namespace hotswap::control
