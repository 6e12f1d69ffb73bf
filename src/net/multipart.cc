#include "net/multipart.h"

#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace hotswap::net {
namespace {

constexpr std::size_t kBoundaryBytes = 70;  // RFC 2046, section 5.1.1
constexpr std::size_t kPaddingBytes = 128;  // white space after a boundary

using Parameters = std::vector<std::pair<std::string, std::string>>;

std::unexpected<Error> invalid(std::string detail) {
  return fail(ErrorKind::kInvalid, "multipart body: " + std::move(detail));
}

bool same(std::string_view a, std::string_view b) { return boost::beast::iequals(a, b); }

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// The text inside of quotes, from behind the first one; `text` is left behind the second one.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string value;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '"') return value;
    // Browsers send a Windows path's backslashes as they are, so only these two are escapes.
    if (c == '\\' && !text.empty() && (text.front() == '"' || text.front() == '\\')) {
      value += text.front();
      text.remove_prefix(1);
    } else {
      value += c;
    }
  }
  return std::nullopt;
}

// "form-data; name=\"a\"; b=c": what stands before the first semicolon and, in `parameters`, what follows.
Result<std::string_view> parse_parameters(std::string_view text, Parameters& parameters) {
  const std::string_view first = text.substr(0, text.find(';'));
  text.remove_prefix(first.size());
  while (!text.empty()) {
    text.remove_prefix(1);  // ';'
    const std::size_t equals = text.find_first_of("=;");
    const std::string_view name = trim(text.substr(0, equals));
    if (equals == std::string_view::npos || text[equals] == ';') {
      if (!name.empty()) return invalid("parameter '" + std::string(name) + "' has no value");
      text.remove_prefix(std::min(equals, text.size()));
      continue;
    }
    text.remove_prefix(equals + 1);
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    std::string value;
    if (text.starts_with('"')) {
      text.remove_prefix(1);
      auto quoted = take_quoted(text);
      if (!quoted) return invalid("the value of parameter '" + std::string(name) + "' has no closing quote");
      value = *std::move(quoted);
      const std::size_t end = text.find(';');
      if (!trim(text.substr(0, end)).empty()) {
        return invalid("parameter '" + std::string(name) + "' has text behind its closing quote");
      }
    } else {
      value = trim(text.substr(0, text.find(';')));
    }
    text.remove_prefix(std::min(text.find(';'), text.size()));
    parameters.emplace_back(name, std::move(value));
  }
  return trim(first);
}

const std::string* find(const Parameters& parameters, std::string_view name) {
  const auto found = std::ranges::find_if(parameters, [name](const auto& p) { return same(p.first, name); });
  return found == parameters.end() ? nullptr : &found->second;
}

bool is_boundary(std::string_view text) {
  static constexpr std::string_view kMarks = "'()+_,-./:=? ";
  return !text.empty() && text.size() <= kBoundaryBytes && !text.ends_with(' ') &&
         std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.contains(c);
         });
}

Result<> parse_disposition(std::string_view value, PartBegin& part) {
  Parameters parameters;
  HS_TRY(const std::string_view kind, parse_parameters(value, parameters));
  if (!same(kind, "form-data"))
    return invalid("Content-Disposition must be form-data, not '" + std::string(kind) + "'");
  const std::string* name = find(parameters, "name");
  if (name == nullptr) return invalid("a part's Content-Disposition has no name");
  part.name = *name;
  if (const std::string* filename = find(parameters, "filename")) part.filename = *filename;
  return {};
}

// `block` is "\r\nname: value\r\nname: value".
Result<PartBegin> parse_part_headers(std::string_view block) {
  PartBegin part{.name = {}, .filename = {}, .content_type = "text/plain"};
  bool named = false;
  while (!block.empty()) {
    block.remove_prefix(2);
    const std::string_view line = block.substr(0, block.find("\r\n"));
    block.remove_prefix(line.size());
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) return invalid("a part's header line has no name");
    if (std::ranges::any_of(line, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; })) {
      return invalid("a part's header has a control character");
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (same(name, "content-disposition")) {
      if (std::exchange(named, true)) return invalid("a part has two Content-Disposition headers");
      HS_CHECK(parse_disposition(value, part));
    } else if (same(name, "content-type")) {
      part.content_type = value;
    } else if (same(name, "content-transfer-encoding") && !same(value, "binary") && !same(value, "8bit") &&
               !same(value, "7bit")) {
      // Deprecated by RFC 7578, section 4.7; taking the encoded bytes for the content would corrupt it.
      return invalid("Content-Transfer-Encoding '" + std::string(value) +
                     "' is not supported: send the bytes as they are");
    }
  }
  if (!named) return invalid("a part has no Content-Disposition");
  return part;
}

}  // namespace

MultipartParser::MultipartParser(std::string_view boundary, MultipartBounds bounds)
    : delimiter_("\r\n--" + std::string(boundary)), bounds_(bounds) {
  expect_delimiter();
}

Result<MultipartParser> MultipartParser::create(std::string_view content_type, MultipartBounds bounds) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (!same(type, "multipart/form-data")) {
    return fail(ErrorKind::kUnsupportedMedia,
                "expected Content-Type multipart/form-data, got '" + std::string(type) + "'");
  }
  Parameters parameters;
  HS_CHECK(parse_parameters(content_type, parameters));
  const std::string* boundary = find(parameters, "boundary");
  if (boundary == nullptr) return invalid("Content-Type has no boundary");
  if (!is_boundary(*boundary)) return invalid("'" + *boundary + "' is no valid boundary");
  return MultipartParser(*boundary, bounds);
}

Result<MultipartEvent> MultipartParser::next() {
  if (error_) return std::unexpected(*error_);
  auto event = step();
  if (!event) error_ = event.error();
  return event;
}

Result<> MultipartParser::finish() const {
  if (error_) return std::unexpected(*error_);
  if (state_ != State::kDone) return invalid("it ends before its closing boundary");
  return {};
}

Result<MultipartEvent> MultipartParser::step() {
  for (;;) {
    switch (state_) {
      case State::kPreamble: {
        const Scan found = scan();
        if (found.delimiter) {
          state_ = State::kDelimiterTail;
        } else if (found.bytes.empty()) {
          return NeedMore{};
        }
        break;
      }
      case State::kDelimiterTail: {
        HS_TRY(const bool ended, read_delimiter_tail());
        if (!ended) return NeedMore{};
        if (state_ == State::kDone) return MultipartEnd{};
        break;
      }
      case State::kHeaders:
        return read_headers();
      case State::kBody:
        return read_body();
      case State::kDone:
        input_ = {};
        return NeedMore{};  // the epilogue says nothing
    }
  }
}

Result<MultipartEvent> MultipartParser::read_body() {
  const Scan found = scan();
  if (!found.bytes.empty()) return PartBytes{found.bytes};
  if (!found.delimiter) return NeedMore{};
  state_ = State::kDelimiterTail;
  return PartEnd{};
}

// A delimiter has its only '\r' at its start, so after a mismatch the next candidate is the next '\r': each byte is
// looked at once or twice, whatever the input.
MultipartParser::Scan MultipartParser::scan() {
  for (;;) {
    if (matched_ > 0) {
      while (!input_.empty() && matched_ < delimiter_.size() && input_.front() == delimiter_[matched_]) {
        input_.remove_prefix(1);
        ++matched_;
      }
      if (matched_ == delimiter_.size()) {
        matched_ = implied_ = 0;
        return {{}, true};
      }
      if (input_.empty()) return {};
      const std::size_t implied = std::exchange(implied_, 0);
      const auto held = std::string_view(delimiter_).substr(implied, std::exchange(matched_, 0) - implied);
      if (!held.empty()) return {held, false};
    }
    if (input_.empty()) return {};
    std::size_t at = input_.find('\r');
    while (at != std::string_view::npos && !delimiter_.starts_with(input_.substr(at, delimiter_.size()))) {
      at = input_.find('\r', at + 1);
    }
    const std::string_view bytes = input_.substr(0, at);
    input_.remove_prefix(bytes.size());
    if (!input_.empty()) {
      input_.remove_prefix(1);
      matched_ = 1;
    }
    if (!bytes.empty()) return {bytes, false};
  }
}

Result<bool> MultipartParser::read_delimiter_tail() {
  while (!input_.empty()) {
    tail_ += input_.front();
    input_.remove_prefix(1);
    if (tail_ == "--") {
      state_ = State::kDone;
      return true;
    }
    if (tail_.ends_with("\r\n")) {
      if (++parts_ > bounds_.parts) {
        return fail(ErrorKind::kTooLarge, "a multipart body may have " + std::to_string(bounds_.parts) + " parts");
      }
      tail_.clear();
      header_ = "\r\n";  // so that even an empty header ends with an empty line
      state_ = State::kHeaders;
      return true;
    }
    const bool padding = tail_.find_first_not_of(" \t") >= tail_.size() - (tail_.ends_with('\r') ? 1 : 0);
    if (tail_ != "-" && (!padding || tail_.size() > kPaddingBytes)) {
      return invalid("the boundary is followed by neither a line break nor '--'");
    }
  }
  return false;
}

Result<MultipartEvent> MultipartParser::read_headers() {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::size_t before = header_.size();
  header_ += input_.substr(0, bounds_.header_bytes + kEnd.size() - std::min(before, bounds_.header_bytes));
  const std::size_t end = header_.find(kEnd, before < kEnd.size() ? 0 : before - (kEnd.size() - 1));
  if (end == std::string::npos) {
    if (header_.size() >= bounds_.header_bytes + kEnd.size()) {
      return fail(ErrorKind::kTooLarge,
                  "a part's header may have " + std::to_string(bounds_.header_bytes) + " bytes in a multipart body");
    }
    input_ = {};
    return NeedMore{};
  }
  input_.remove_prefix(end + kEnd.size() - before);
  header_.resize(end);
  HS_TRY(PartBegin part, parse_part_headers(header_));
  header_.clear();
  state_ = State::kBody;
  expect_delimiter();
  return part;
}

}  // namespace hotswap::net
