// Reading JSON bodies of the API. Where these are asked, the request has no query parameters.
#pragma once

#include "base/json.h"
#include "base/limits.h"
#include "control/query_parameters.h"
#include "net/http.h"

namespace hotswap::control {

// Of requests without anything to say. An empty object is nothing, too: many clients send one.
inline Task<Result<>> expect_nothing(net::Exchange& exchange) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  HS_CO_TRY(const std::string body, co_await exchange.read_all(limits::kJsonBodyBytes));
  if (body.empty()) co_return Result<>{};
  HS_CO_TRY(const json::value value, parse_json(body));
  if (value.is_object() && value.get_object().empty()) co_return Result<>{};
  co_return fail(ErrorKind::kInvalid, "this request takes no body");
}

template <class T>
Task<Result<T>> read_body(net::Exchange& exchange) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  HS_CO_TRY(const std::string body, co_await exchange.read_all(limits::kJsonBodyBytes));
  co_return from_json_text<T>(body);
}

// One that may be left out.
template <class T>
Task<Result<T>> read_optional_body(net::Exchange& exchange) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  HS_CO_TRY(const std::string body, co_await exchange.read_all(limits::kJsonBodyBytes));
  if (body.empty()) co_return T{};
  co_return from_json_text<T>(body);
}

}  // namespace hotswap::control
