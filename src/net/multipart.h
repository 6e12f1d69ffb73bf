// A streaming multipart/form-data parser (RFC 7578 over RFC 2046): bytes in, events out, never a part in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/limits.h"
#include "base/result.h"

namespace hotswap::net {

struct MultipartBounds {
  std::size_t header_bytes = 8 * limits::kKiB;  // of one part
  std::size_t parts = 64;
};

struct PartBegin {
  std::string name;
  std::optional<std::string> filename;  // as the client sent it: never a path to use
  std::string content_type;             // "text/plain" where the part has none
};
// Some of the current part's bytes: a view into the bytes that were pushed, or into the parser until the next event.
struct PartBytes {
  std::string_view bytes;
};
struct PartEnd {};
struct MultipartEnd {};
struct NeedMore {};
using MultipartEvent = std::variant<NeedMore, PartBegin, PartBytes, PartEnd, MultipartEnd>;

// Usage: push(bytes), then next() until NeedMore, and so on until MultipartEnd. When the body ends earlier, the message
// is incomplete: say so with finish(). Belongs to one coroutine. After an error every call gives the same error.
class MultipartParser {
 public:
  // From the request's Content-Type; kUnsupportedMedia for another type, kInvalid without a usable boundary.
  [[nodiscard]] static Result<MultipartParser> create(std::string_view content_type, MultipartBounds bounds = {});

  // `bytes` must stay valid until next() gives NeedMore; only then may more be pushed.
  void push(std::string_view bytes) noexcept { input_ = bytes; }
  [[nodiscard]] Result<MultipartEvent> next();
  // At the end of the body: an error unless MultipartEnd was reached.
  [[nodiscard]] Result<> finish() const;

 private:
  enum class State : std::uint8_t { kPreamble, kDelimiterTail, kHeaders, kBody, kDone };

  // Bytes before the next delimiter. Where `bytes` is empty, either the delimiter was reached or the input is used up.
  struct Scan {
    std::string_view bytes;
    bool delimiter = false;
  };

  MultipartParser(std::string_view boundary, MultipartBounds bounds);
  Result<MultipartEvent> step();
  Result<MultipartEvent> read_body();
  Result<MultipartEvent> read_headers();
  // True at its end: then the state has changed.
  Result<bool> read_delimiter_tail();
  Scan scan();
  // Lets a delimiter begin right here, its line break being behind already.
  void expect_delimiter() noexcept { matched_ = implied_ = 2; }

  std::string delimiter_;  // "\r\n--boundary"
  MultipartBounds bounds_;
  std::string_view input_;
  std::size_t matched_ = 0;  // bytes of delimiter_ that the input so far ended with; they are held back
  std::size_t implied_ = 0;  // of these, bytes that are no data if the match fails
  std::string tail_;         // what follows a delimiter, up to its line's end
  std::string header_;
  std::size_t parts_ = 0;
  State state_ = State::kPreamble;
  std::optional<Error> error_;
};

}  // namespace hotswap::net
