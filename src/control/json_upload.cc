#include "control/json_upload.h"

#include <boost/json/basic_parser_impl.hpp>
#include <fmt/format.h>

#include "base/limits.h"
#include "control/base64.h"

namespace hotswap::control {
namespace {

// Builds a json::value of everything but the string at "binary", which is decoded as it comes.
class Handler {
 public:
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = limits::kJsonBodyBytes;
  static constexpr std::size_t max_string_size = std::size_t(-1);

  Handler() { stack_.reset(); }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    ++depth_;
    return true;
  }
  bool on_object_end(std::size_t size, json::error_code& code) {
    --depth_;
    stack_.push_object(size);
    return account(sizeof(json::value), code);
  }
  bool on_array_begin(json::error_code&) {
    ++depth_;
    return true;
  }
  bool on_array_end(std::size_t size, json::error_code& code) {
    --depth_;
    stack_.push_array(size);
    return account(sizeof(json::value), code);
  }
  bool on_key_part(json::string_view text, std::size_t, json::error_code& code) {
    key_.append(text.data(), text.size());
    stack_.push_chars(text);
    return account(text.size(), code);
  }
  bool on_key(json::string_view text, std::size_t, json::error_code& code) {
    key_.append(text.data(), text.size());
    stack_.push_key(text);
    in_binary_ = depth_ == 1 && key_ == "binary";
    if (in_binary_ && std::exchange(seen_, true)) problem = "is given more than once";
    key_.clear();
    return account(text.size() + sizeof(json::value), code);
  }
  bool on_string_part(json::string_view text, std::size_t, json::error_code& code) {
    if (in_binary_) return decode(text);
    stack_.push_chars(text);
    return account(text.size(), code);
  }
  bool on_string(json::string_view text, std::size_t, json::error_code& code) {
    if (in_binary_) {
      decode(text);
      if (problem.empty()) note(decoder_.finish(*out));
      in_binary_ = false;
      text = {};
    }
    stack_.push_string(text);
    return account(text.size() + sizeof(json::value), code);
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t value, json::string_view, json::error_code& code) {
    return scalar([&] { stack_.push_int64(value); }, code);
  }
  bool on_uint64(std::uint64_t value, json::string_view, json::error_code& code) {
    return scalar([&] { stack_.push_uint64(value); }, code);
  }
  bool on_double(double value, json::string_view, json::error_code& code) {
    return scalar([&] { stack_.push_double(value); }, code);
  }
  bool on_bool(bool value, json::error_code& code) {
    return scalar([&] { stack_.push_bool(value); }, code);
  }
  bool on_null(json::error_code& code) {
    return scalar([&] { stack_.push_null(); }, code);
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  [[nodiscard]] json::value release() { return stack_.release(); }

  std::string* out = nullptr;  // where the binary goes
  std::string problem;
  bool too_large = false;

 private:
  template <class F>
  bool scalar(F push, json::error_code& code) {
    in_binary_ = false;
    push();
    return account(sizeof(json::value), code);
  }
  bool account(std::size_t bytes, json::error_code& code) {
    accounted_ += bytes;
    if (accounted_ <= limits::kJsonBodyBytes) return true;
    too_large = true;
    code = json::error::exception;
    return false;
  }
  bool decode(json::string_view text) {
    if (problem.empty()) note(decoder_.decode(text, *out));
    return true;
  }
  void note(const Result<>& result) {
    if (!result) problem = result.error().detail;
  }

  json::value_stack stack_;
  Base64Decoder decoder_;
  std::string key_;
  std::size_t accounted_ = 0;
  int depth_ = 0;
  bool in_binary_ = false;
  bool seen_ = false;
};

json::parse_options options() {
  json::parse_options options;
  options.max_depth = limits::kJsonDepth;
  return options;
}

}  // namespace

struct JsonUploadParser::Parser {
  json::basic_parser<Handler> json{options()};
};

JsonUploadParser::JsonUploadParser() : parser_(std::make_unique<Parser>()) {}
JsonUploadParser::~JsonUploadParser() = default;

Result<> JsonUploadParser::write(std::string_view text, std::string& binary) {
  auto& json = parser_->json;
  json.handler().out = &binary;
  json::error_code code;
  const std::size_t consumed = json.write_some(true, text.data(), text.size(), code);
  consumed_ += consumed;
  if (json.handler().too_large) {
    return fail(ErrorKind::kTooLarge,
                fmt::format("the document without its binary has more than {} bytes", limits::kJsonBodyBytes));
  }
  if (!code && consumed < text.size()) code = json::error::extra_data;
  if (code) {
    return fail(ErrorKind::kInvalid,
                fmt::format("the body is not valid JSON: {} at byte {}", code.message(), consumed_));
  }
  return {};
}

Result<json::value> JsonUploadParser::finish() {
  json::error_code code;
  std::string nothing;
  parser_->json.handler().out = &nothing;
  parser_->json.write_some(false, nullptr, 0, code);
  if (!code && !parser_->json.done()) code = json::error::incomplete;
  if (code) {
    return fail(ErrorKind::kInvalid,
                fmt::format("the body is not valid JSON: {} at byte {}", code.message(), consumed_));
  }
  return parser_->json.handler().release();
}

const std::string& JsonUploadParser::binary_problem() const { return parser_->json.handler().problem; }

}  // namespace hotswap::control
