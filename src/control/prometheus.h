// What a Prometheus server says to the queries of an analysis.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/task.h"
#include "control/signal.h"
#include "net/client.h"

namespace hotswap::control {

// Values and problems by query. A query that gave no sample, or NaN, is in neither: there may be one later.
struct QueryAnswers {
  std::map<std::string, double> values;
  std::map<std::string, std::string> problems;
};

// Instant queries of the HTTP API (GET …/api/v1/query). Everything on one executor; calls must have ended before this
// object goes.
class Prometheus {
 public:
  // `url`: "http://host:9090", or with a path before /api; https is not supported. kInvalid for anything else.
  [[nodiscard]] static Result<std::unique_ptr<Prometheus>> create(asio::any_io_executor home, std::string_view url);

  // One after the other, within `timeout` together. Each must have exactly one sample as its result.
  Task<QueryAnswers> ask(std::vector<std::string> queries,
                         std::chrono::milliseconds timeout = limits::kPrometheusTimeout);
  // Ends what is being asked, now and later.
  void stop();

 private:
  Prometheus(asio::any_io_executor home, std::unique_ptr<net::Client> client, std::string path);
  Task<Result<std::optional<double>>> ask_one(std::string query, std::chrono::milliseconds timeout);

  std::unique_ptr<net::Client> client_;
  std::string path_;
  Signal stopped_;
  bool stopping_ = false;
};

// The value in the document that answers a query; absent where there is no sample, or NaN.
[[nodiscard]] Result<std::optional<double>> sample_of(std::string_view document);

}  // namespace hotswap::control
