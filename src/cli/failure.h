// Why a command did not succeed, and how that is shown.
#pragma once

#include <expected>
#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/exit_code.h"

namespace hotswap::cli {

struct Failure {
  ExitCode exit = ExitCode::Refused;
  std::string title;   // "Not Found"
  std::string detail;  // what was wrong
  std::vector<FieldError> fields{};
  std::string trace_id{};   // finds the request in the server's log
  std::string next{};       // what to do about it
  std::string backtrace{};  // of a module that failed
  unsigned status = 0;      // HTTP status; 0 where no reply was involved
};

template <class T = void>
using Outcome = std::expected<T, Failure>;

[[nodiscard]] std::unexpected<Failure> usage_failure(std::string detail, std::string next = {});
// A failure on this machine: a file, a pipe.
[[nodiscard]] std::unexpected<Failure> local_failure(std::string title, std::string detail, std::string next = {});
// An error of the product's own code that ran in this process (`hotswap run`, `hotswap up`).
[[nodiscard]] Failure failure_from(const Error& error);
// A reply with a status of 400 and above: a problem document, or whatever else it holds.
[[nodiscard]] Failure failure_from_reply(unsigned status, std::string_view body);

// For a person several lines; as JSON one object on one line.
void print_failure(std::ostream& err, const Failure& failure, bool as_json, bool color);

}  // namespace hotswap::cli
