#include "cli/failure.h"

#include <fmt/format.h>

#include <ostream>
#include <sstream>

#include "base/json.h"

namespace hotswap::cli {
namespace {

std::string text_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string(*text) : std::string();
}

std::vector<FieldError> field_errors(const json::object& problem) {
  std::vector<FieldError> fields;
  const auto* errors = problem.if_contains("errors");
  if (errors == nullptr || !errors->is_array()) return fields;
  for (const auto& entry : errors->get_array()) {
    if (const auto* object = entry.if_object()) {
      fields.push_back({text_member(*object, "field"), text_member(*object, "message")});
    }
  }
  return fields;
}

// What helps whatever the command was; a command that knows more says so itself.
std::string general_advice(unsigned status) {
  switch (status) {
    case 401:
      return "the server wants to know who you are";
    case 403:
      return "ask an Admin of this server for the right to do this";
    case 429:
    case 503:
      return "try again in a moment";
    case 500:
      return "this is a bug of the server: its log has the details under the trace id";
    default:
      return {};
  }
}

json::object as_json_object(const Failure& failure) {
  json::object object;
  object["title"] = failure.title;
  if (failure.status != 0) object["status"] = failure.status;
  object["detail"] = failure.detail;
  json::array errors;
  for (const auto& field : failure.fields) errors.push_back({{"field", field.field}, {"message", field.message}});
  if (!errors.empty()) object["errors"] = std::move(errors);
  if (!failure.backtrace.empty()) object["backtrace"] = failure.backtrace;
  if (!failure.trace_id.empty()) object["traceId"] = failure.trace_id;
  if (!failure.next.empty()) object["next"] = failure.next;
  object["exitCode"] = static_cast<int>(failure.exit);
  return object;
}

}  // namespace

std::unexpected<Failure> usage_failure(std::string detail, std::string next) {
  return std::unexpected(
      Failure{.exit = ExitCode::Usage, .title = "Wrong usage", .detail = std::move(detail), .next = std::move(next)});
}

std::unexpected<Failure> local_failure(std::string title, std::string detail, std::string next) {
  return std::unexpected(Failure{.title = std::move(title), .detail = std::move(detail), .next = std::move(next)});
}

Failure failure_from(const Error& error) {
  return Failure{.title = std::string(title(error.kind)), .detail = error.detail, .fields = error.fields};
}

Failure failure_from_reply(unsigned status, std::string_view body) {
  Failure failure{.title = fmt::format("The server answered {}", status), .detail = {}, .status = status};
  const auto document = parse_json(body);
  if (document && document->is_object()) {
    const auto& problem = document->get_object();
    if (auto title = text_member(problem, "title"); !title.empty()) failure.title = std::move(title);
    failure.detail = text_member(problem, "detail");
    failure.trace_id = text_member(problem, "traceId");
    failure.fields = field_errors(problem);
  } else {
    constexpr std::size_t kShown = 500;  // enough to recognise a proxy's error page
    failure.detail = std::string(body.substr(0, kShown));
  }
  failure.next = general_advice(status);
  return failure;
}

void print_failure(std::ostream& err, const Failure& failure, bool as_json, bool color) {
  if (as_json) {
    err << json::serialize(as_json_object(failure)) << '\n';
    return;
  }
  const std::string_view red = color ? "\x1b[31m" : "";
  const std::string_view plain = color ? "\x1b[0m" : "";
  err << red << "error: " << plain << failure.title;
  // The detail of a validation failure repeats the fields, which follow one by one.
  if (!failure.detail.empty() && failure.fields.empty()) err << ": " << failure.detail;
  err << '\n';
  for (const auto& field : failure.fields) err << fmt::format("  {}: {}\n", field.field, field.message);
  std::istringstream frames(failure.backtrace);
  for (std::string frame; std::getline(frames, frame);) err << "  at " << frame << '\n';
  if (!failure.trace_id.empty()) err << "  trace id: " << failure.trace_id << '\n';
  if (!failure.next.empty()) err << "  next: " << failure.next << '\n';
}

}  // namespace hotswap::cli
