#include "control/prometheus.h"

#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "base/json.h"
#include "net/url.h"

namespace hotswap::control {
namespace {

constexpr unsigned kOk = 200;

std::unexpected<Error> strange() {
  return fail(ErrorKind::kUpstream, "Prometheus answered with something that is no query result");
}

std::string_view text_at(const json::value& value, std::string_view pointer) {
  boost::system::error_code code;
  const auto* found = value.find_pointer(pointer, code);
  const auto* text = found == nullptr ? nullptr : found->if_string();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

// [time, "1.5"]
Result<std::optional<double>> value_of(const json::value& pair) {
  const auto* array = pair.if_array();
  if (array == nullptr || array->size() != 2 || !array->back().is_string()) return strange();
  const std::string text(array->back().get_string());
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size()) return strange();
  if (std::isnan(value)) return std::optional<double>();
  if (std::isinf(value)) return fail(ErrorKind::kUpstream, fmt::format("the query gave {}", text));
  return std::optional(value);
}

}  // namespace

Result<std::optional<double>> sample_of(std::string_view document) {
  const auto parsed = parse_json(document);
  if (!parsed) return strange();
  if (text_at(*parsed, "/status") == "error") {
    return fail(ErrorKind::kUpstream, fmt::format("Prometheus refused the query: {}", text_at(*parsed, "/error")));
  }
  boost::system::error_code code;
  const auto* result = parsed->find_pointer("/data/result", code);
  if (result == nullptr || !result->is_array()) return strange();
  const std::string_view type = text_at(*parsed, "/data/resultType");
  if (type == "scalar") return value_of(*result);
  if (type != "vector") {
    return fail(ErrorKind::kUpstream, fmt::format("the query gave a {}: expected one sample", type));
  }
  const auto& samples = result->get_array();
  if (samples.empty()) return std::optional<double>();
  if (samples.size() > 1) {
    return fail(ErrorKind::kUpstream,
                fmt::format("the query gave {} samples: expected one, such as sum(…) gives", samples.size()));
  }
  const auto* sample = samples.front().if_object();
  const auto* value = sample == nullptr ? nullptr : sample->if_contains("value");
  if (value == nullptr) return strange();
  return value_of(*value);
}

Result<std::unique_ptr<Prometheus>> Prometheus::create(net::WebClient& client, std::string_view url) {
  HS_CHECK(net::check_url(url));
  if (url.contains('?')) {
    return fail(ErrorKind::kInvalid, fmt::format("\"{}\" has a query: expected a URL such as http://host:9090", url));
  }
  while (url.ends_with('/')) url.remove_suffix(1);
  return std::unique_ptr<Prometheus>(new Prometheus(client, fmt::format("{}/api/v1/query", url)));
}

Prometheus::Prometheus(net::WebClient& client, std::string url) : client_(client), url_(std::move(url)) {}

Task<QueryAnswers> Prometheus::ask(std::vector<std::string> queries, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  QueryAnswers answers;
  for (const auto& query : queries) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      answers.problems[query] = fmt::format("the queries took longer than {} ms", timeout.count());
      continue;
    }
    const auto value = co_await ask_one(query, left);
    if (!value) {
      answers.problems[query] = value.error().detail;
    } else if (*value) {
      answers.values[query] = **value;
    }
  }
  co_return answers;
}

Task<Result<std::optional<double>>> Prometheus::ask_one(std::string query, std::chrono::milliseconds timeout) {
  const auto response = co_await client_.send(
      {.url = fmt::format("{}?query={}", url_, boost::urls::encode(query, boost::urls::unreserved_chars)),
       .timeout = timeout,
       .response_bytes = limits::kPrometheusReplyBytes});
  if (!response) {
    co_return fail(ErrorKind::kUpstream, "Prometheus did not answer: " + response.error().detail);
  }
  auto value = sample_of(response->body);
  // Errors of the query have a status of their own, and a document that says what is wrong.
  if (response->status == kOk || (!value && value.error().detail.starts_with("Prometheus refused"))) co_return value;
  co_return fail(ErrorKind::kUpstream, fmt::format("Prometheus answered with status {}", response->status));
}

}  // namespace hotswap::control
