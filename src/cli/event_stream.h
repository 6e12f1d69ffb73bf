// Server-sent events as a client reads them (WHATWG HTML, "Server-sent events").
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace hotswap::cli {

// Fed with pieces of any size; calls `on_data` with the data of every complete event. Comments (heartbeats), `event`,
// `id` and `retry` fields are skipped: the data of this API's events says all of that.
class EventStreamParser {
 public:
  explicit EventStreamParser(std::function<void(std::string_view)> on_data) : on_data_(std::move(on_data)) {}
  void feed(std::string_view piece);

 private:
  void end_line();

  std::function<void(std::string_view)> on_data_;
  std::string line_;
  std::string data_;
  bool has_data_ = false;
  bool after_return_ = false;  // "\r\n" is one line break, even when it arrives in two pieces
};

}  // namespace hotswap::cli
