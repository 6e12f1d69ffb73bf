#include "net/http.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace hotswap::net {
namespace {

namespace json = boost::json;

json::object problem_members(const Problem& problem, const TraceContext& trace) {
  return {{"type", "https://hotswap.dev/problems/" + std::string(problem.slug)},
          {"title", problem.title},
          {"status", problem.status},
          {"detail", problem.detail},
          {"traceId", trace.trace_id()}};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string values_of(const Exchange& exchange, std::string_view name) {
  std::string list;
  const auto [first, last] = exchange.headers().equal_range(name);
  for (auto field = first; field != last; ++field) {
    if (!list.empty()) list += ", ";
    list += field->value();
  }
  return list;
}

std::string problem_document(const Problem& problem, const TraceContext& trace) {
  return json::serialize(problem_members(problem, trace));
}

std::string problem_document(const Error& error, const TraceContext& trace) {
  json::object document =
      problem_members({http_status(error.kind), slug(error.kind), title(error.kind), error.detail}, trace);
  if (!error.fields.empty()) {
    json::array errors;
    for (const FieldError& field : error.fields) errors.push_back({{"field", field.field}, {"message", field.message}});
    document["errors"] = std::move(errors);
  }
  return json::serialize(document);
}

Task<Result<>> reply_problem(Exchange& exchange, const Error& error) {
  const std::string document = problem_document(error, exchange.trace());
  co_return co_await exchange.reply(http_status(error.kind), kProblemType, document);
}

Task<Result<>> reply_json(Exchange& exchange, std::string_view body, unsigned status) {
  return exchange.reply(status, "application/json", body);
}

Result<std::string> percent_decode(std::string_view text, bool plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return fail(ErrorKind::kInvalid, "'" + std::string(text.substr(i, 3)) + "' in the URL is no percent escape");
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    HS_TRY(std::string name, percent_decode(pair.substr(0, equals), true));
    HS_TRY(std::string value,
           percent_decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true));
    parameters.emplace_back(std::move(name), std::move(value));
  }
  return parameters;
}

}  // namespace hotswap::net
