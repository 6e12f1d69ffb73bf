// Expected failures as values. Every fallible function of the product returns Result<T>; exceptions are for bugs and
// are caught at the edge of the library that throws them.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hotswap {

// What went wrong, in terms of the public API. Each kind has one HTTP status (http_status) and one exit code
// (exit_code).
enum class ErrorKind : std::uint8_t {
  kInvalid,           // 400: the request is malformed or a field breaks a rule
  kUnauthorized,      // 401
  kForbidden,         // 403
  kNotFound,          // 404
  kMethodNotAllowed,  // 405
  kTimeout,           // 408: the client did not finish its request in time
  kConflict,          // 409: the resource's state does not allow it
  kTooLarge,          // 413
  kUnsupportedMedia,  // 415
  kUnprocessable,     // 422: well-formed, but this server cannot offer what it needs
  kTooManyRequests,   // 429: a bound of concurrency or rate is reached
  kInternal,          // 500: a bug
  kUpstream,          // 502: a guest or a peer answered with something unusable
  kUnavailable,       // 503: not now; try again
  kDeadline,          // 504: the deadline passed first
};

// One rule that one field breaks. `field` is a JSON path such as "limits.maxMemoryMB" or "targetRegions[0]".
struct FieldError {
  std::string field;
  std::string message;
  bool operator==(const FieldError&) const = default;
};

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string detail;              // what was wrong, where, and what to do, for a person
  std::vector<FieldError> fields;  // validation failures, all of them at once
  bool operator==(const Error&) const = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorKind kind, std::string detail,
                                                 std::vector<FieldError> fields = {}) {
  return std::unexpected(Error{kind, std::move(detail), std::move(fields)});
}

// Validation failures become one error that lists them all.
[[nodiscard]] std::unexpected<Error> fail_fields(std::vector<FieldError> fields);

[[nodiscard]] unsigned http_status(ErrorKind kind) noexcept;
// RFC 9110 reason phrase, used as the problem document's title.
[[nodiscard]] std::string_view title(ErrorKind kind) noexcept;
// Last part of the problem document's `type` URI, e.g. "not-found".
[[nodiscard]] std::string_view slug(ErrorKind kind) noexcept;

}  // namespace hotswap

// Returns the error of a Result expression from the enclosing function (co_return form: HS_CO_TRY).
#define HS_CONCAT_INNER(a, b) a##b
#define HS_CONCAT(a, b) HS_CONCAT_INNER(a, b)
#define HS_TRY_INNER(tmp, keyword, decl, expr)               \
  auto tmp = (expr);                                         \
  if (!tmp) keyword std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)
#define HS_TRY(decl, expr) HS_TRY_INNER(HS_CONCAT(hs_try_, __LINE__), return, decl, expr)
#define HS_CO_TRY(decl, expr) HS_TRY_INNER(HS_CONCAT(hs_try_, __LINE__), co_return, decl, expr)
#define HS_CHECK_INNER(tmp, keyword, expr) \
  if (auto tmp = (expr); !tmp) keyword std::unexpected(std::move(tmp).error())
#define HS_CHECK(expr) HS_CHECK_INNER(HS_CONCAT(hs_try_, __LINE__), return, expr)
#define HS_CO_CHECK(expr) HS_CHECK_INNER(HS_CONCAT(hs_try_, __LINE__), co_return, expr)
