#include "net/sse.h"

#include <algorithm>
#include <array>

namespace hotswap::net {
namespace {

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  std::ranges::copy_if(value, std::back_inserter(out), [](char c) { return c != '\r' && c != '\n' && c != '\0'; });
  out += '\n';
}

}  // namespace

void append_event(std::string& out, const ServerEvent& event) {
  if (!event.id.empty()) append_line(out, "id", event.id);
  if (!event.event.empty()) append_line(out, "event", event.event);
  // CR, LF and CRLF all end a line of the stream, so each starts another data field.
  std::string_view rest = event.data;
  for (;;) {
    const std::size_t end = rest.find_first_of("\r\n");
    append_line(out, "data", rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + (rest.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  out += '\n';
}

Task<Result<>> EventStream::begin(std::chrono::milliseconds retry) {
  constexpr std::array<Header, 3> kHeaders{Header{"Content-Type", "text/event-stream"},
                                           Header{"Cache-Control", "no-cache"},
                                           Header{"X-Accel-Buffering", "no"}};  // nginx would hold events back
  HS_CO_CHECK(co_await exchange_.begin(200, kHeaders, std::nullopt));
  out_ = "retry: " + std::to_string(retry.count()) + "\n\n";
  co_return co_await write();
}

Task<Result<>> EventStream::send(const ServerEvent& event) {
  out_.clear();
  append_event(out_, event);
  return write();
}

Task<Result<>> EventStream::heartbeat() {
  out_ = ":\n\n";
  return write();
}

Task<Result<>> EventStream::write() { return exchange_.write(std::as_bytes(std::span(out_))); }

std::string last_event_id(const Exchange& exchange) {
  if (const auto found = exchange.headers().find("Last-Event-ID"); found != exchange.headers().end()) {
    return std::string(found->value());
  }
  const auto parameters = parse_query(exchange.query());
  if (!parameters) return {};
  for (const auto& [name, value] : *parameters) {
    if (name == "lastEventId") return value;
  }
  return {};
}

}  // namespace hotswap::net
