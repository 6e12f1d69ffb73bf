// Server-sent events (WHATWG HTML, section 9.2) over one exchange.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "net/http.h"

namespace hotswap::net {

struct ServerEvent {
  std::string_view id;     // the client sends it back as Last-Event-ID; "" leaves it as it was
  std::string_view event;  // "" is the type "message"
  std::string_view data;   // may have several lines
};

// "id: …\nevent: …\ndata: …\n\n". Line breaks in id and event are dropped: they would forge a field.
void append_event(std::string& out, const ServerEvent& event);

// Belongs to the handler's coroutine. A failure means that the client is gone: the handler just returns.
class EventStream {
 public:
  explicit EventStream(Exchange& exchange) : exchange_(exchange) {}

  // The reply's head, and how long a client that lost the stream waits before it asks again.
  Task<Result<>> begin(std::chrono::milliseconds retry = std::chrono::seconds(2));
  Task<Result<>> send(const ServerEvent& event);
  // A comment, which keeps proxies from ending a silent stream (limits::kEventHeartbeat).
  Task<Result<>> heartbeat();
  Task<Result<>> finish() { return exchange_.finish(); }

 private:
  Task<Result<>> write();

  Exchange& exchange_;
  std::string out_;
};

// After which event the client wants to continue; "" from the start of the stream. EventSource sends the header; the
// query parameter serves clients that cannot set one.
[[nodiscard]] std::string last_event_id(const Exchange& exchange);

}  // namespace hotswap::net
