#include "base/result.h"

#include <array>

namespace hotswap {
namespace {

struct KindRow {
  ErrorKind kind;
  unsigned status;
  std::string_view title;
  std::string_view slug;
};

constexpr std::array kKinds{
    KindRow{ErrorKind::kInvalid, 400, "Bad Request", "invalid"},
    KindRow{ErrorKind::kUnauthorized, 401, "Unauthorized", "unauthorized"},
    KindRow{ErrorKind::kForbidden, 403, "Forbidden", "forbidden"},
    KindRow{ErrorKind::kNotFound, 404, "Not Found", "not-found"},
    KindRow{ErrorKind::kMethodNotAllowed, 405, "Method Not Allowed", "method-not-allowed"},
    KindRow{ErrorKind::kTimeout, 408, "Request Timeout", "timeout"},
    KindRow{ErrorKind::kConflict, 409, "Conflict", "conflict"},
    KindRow{ErrorKind::kTooLarge, 413, "Content Too Large", "too-large"},
    KindRow{ErrorKind::kUnsupportedMedia, 415, "Unsupported Media Type", "unsupported-media-type"},
    KindRow{ErrorKind::kUnprocessable, 422, "Unprocessable Content", "unprocessable"},
    KindRow{ErrorKind::kTooManyRequests, 429, "Too Many Requests", "too-many-requests"},
    KindRow{ErrorKind::kInternal, 500, "Internal Server Error", "internal"},
    KindRow{ErrorKind::kUpstream, 502, "Bad Gateway", "upstream"},
    KindRow{ErrorKind::kUnavailable, 503, "Service Unavailable", "unavailable"},
    KindRow{ErrorKind::kDeadline, 504, "Gateway Timeout", "deadline"},
};

const KindRow& row(ErrorKind kind) noexcept { return kKinds[static_cast<std::size_t>(kind)]; }

}  // namespace

std::unexpected<Error> fail_fields(std::vector<FieldError> fields) {
  std::string detail;
  for (const auto& field : fields) {
    if (!detail.empty()) detail += "; ";
    detail += field.field + ": " + field.message;
  }
  return fail(ErrorKind::kInvalid, std::move(detail), std::move(fields));
}

unsigned http_status(ErrorKind kind) noexcept { return row(kind).status; }
std::string_view title(ErrorKind kind) noexcept { return row(kind).title; }
std::string_view slug(ErrorKind kind) noexcept { return row(kind).slug; }

}  // namespace hotswap
