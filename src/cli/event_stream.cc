#include "cli/event_stream.h"

#include <utility>

namespace hotswap::cli {

void EventStreamParser::feed(std::string_view piece) {
  for (const char c : piece) {
    if (c == '\n' && after_return_) {
      after_return_ = false;
      continue;
    }
    after_return_ = c == '\r';
    if (c == '\n' || c == '\r') {
      end_line();
    } else {
      line_ += c;
    }
  }
}

void EventStreamParser::end_line() {
  const std::string line = std::exchange(line_, {});
  if (line.empty()) {
    if (std::exchange(has_data_, false)) on_data_(std::exchange(data_, {}));
    return;
  }
  const std::string_view text(line);
  if (text != "data" && !text.starts_with("data:")) return;
  auto value = text.substr(std::min<std::size_t>(text.size(), 5));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += value;
  has_data_ = true;
}

}  // namespace hotswap::cli
