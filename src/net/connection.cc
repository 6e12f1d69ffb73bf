#include "net/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/system/system_error.hpp>
#include <sys/socket.h>

#include "base/log.h"
#include "net/listener.h"

namespace hotswap::net {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::deferred);
constexpr std::size_t kLingerBytes = 64 * limits::kMiB;

}  // namespace

Connection::Connection(std::shared_ptr<Listener> listener, Socket socket, tcp::endpoint peer)
    : listener_(std::move(listener)), socket_(std::move(socket)), peer_(std::move(peer)) {
  listener_->add(*this);
}

Connection::~Connection() {
  ConnectionHook::unlink();
  listener_->removed();
}

Task<void> Connection::run() {
  for (;;) {
    next_request();
    Parsed parsed = parse_head();
    if (parsed == Parsed::kMore) arm(head_bytes_ + in_.unread().size() > 0 ? Wait::kHead : Wait::kRequest);
    while (parsed == Parsed::kMore) {
      const auto [data, size] = in_.room(listener_->shared().options.header_bytes + 1);
      auto [error, count] = co_await socket_.async_read_some(asio::mutable_buffer(data, size), kAwait);
      if (error) {
        if (unsent_ && !co_await send_unsent()) co_return;
        if (error == asio::error::operation_aborted && !expired_ && !broken_) continue;  // by flush()
        if (!expired_ || wait_ != Wait::kHead || broken_) co_return;
        disarm();
        parsed = refuse(408, "timeout", "Request Timeout", "the request's head did not arrive in time");
        break;
      }
      if (wait_ == Wait::kRequest) arm(Wait::kHead);
      in_.commit(count);
      parsed = parse_head();
    }
    disarm();
    if (unsent_ && !co_await send_unsent()) co_return;
    identify();
    listener_->shared().requests.add();
    if (parsed == Parsed::kBad) {
      co_await send_refusal();
      co_return;
    }

    std::exception_ptr thrown;
    try {
      co_await listener_->shared().handler(*this);
    } catch (...) {
      thrown = std::current_exception();
    }
    const bool settled = reply_ == Reply::kDone && parser_->is_done() && !close_ && thrown == nullptr && !broken_;
    if (!settled && !co_await settle(thrown)) co_return;
  }
}

void Connection::next_request() {
  head_.clear();
  parser_.emplace(head_);
  parser_->header_limit(static_cast<std::uint32_t>(listener_->shared().options.header_bytes));
  in_.release();
  gathered_.clear();
  params_.clear();
  body_error_.reset();
  head_bytes_ = 0;
  reply_ = Reply::kNone;
  close_ = false;
  owes_continue_ = false;
}

Connection::Parsed Connection::parse_head() {
  const ServerOptions& options = listener_->shared().options;
  if (in_.empty()) return Parsed::kMore;
  boost::beast::error_code error;
  const std::string_view bytes = in_.unread();
  const std::size_t used = parser_->put(asio::const_buffer(bytes.data(), bytes.size()), error);
  in_.consume(used);
  head_bytes_ += used;
  if (error == http::error::header_limit || head_bytes_ > options.header_bytes ||
      (error == http::error::need_more && head_bytes_ + in_.unread().size() > options.header_bytes)) {
    return refuse(431, "header-too-large", "Request Header Fields Too Large",
                  "the request line and header may have " + std::to_string(options.header_bytes) + " bytes");
  }
  if (head_.target.size() > options.url_bytes) {
    return refuse(414, "url-too-long", "URI Too Long",
                  "the URL may have " + std::to_string(options.url_bytes) + " bytes");
  }
  if (error == http::error::need_more) return Parsed::kMore;
  if (error) {
    return refuse(400, slug(ErrorKind::kInvalid), title(ErrorKind::kInvalid),
                  parser_->refusal().empty() ? "the request is no valid HTTP: " + error.message()
                                             : std::string(parser_->refusal()));
  }
  owes_continue_ = parser_->expects_continue();
  return Parsed::kHead;
}

Connection::Parsed Connection::refuse(unsigned status, std::string_view slug_text, std::string_view title_text,
                                      std::string detail) {
  refusal_ = Problem{status, slug_text, title_text, std::move(detail)};
  return Parsed::kBad;
}

void Connection::identify() {
  const auto found = head_.fields.find("traceparent");
  const auto parent = found == head_.fields.end() ? std::nullopt : parse_traceparent(found->value());
  trace_ = parent ? *parent : listener_->new_trace();
}

void Connection::arm(Wait wait) {
  const ServerTimeouts& timeouts = listener_->timeouts();
  wait_ = wait;
  switch (wait) {
    case Wait::kNothing:
      break;
    case Wait::kRequest:
      deadline_ = listener_->deadline(listener_->draining() ? timeouts.drain_idle : timeouts.idle);
      break;
    case Wait::kHead:
      deadline_ = listener_->deadline(timeouts.head);
      break;
    case Wait::kBody:
    case Wait::kWrite:
      deadline_ = listener_->deadline(timeouts.body_progress);
      break;
    case Wait::kLinger:
      deadline_ = listener_->deadline(timeouts.linger);
      break;
  }
}

void Connection::disarm() noexcept {
  wait_ = Wait::kNothing;
  deadline_ = SteadyPoint::max();
  expired_ = false;
}

void Connection::sweep(SteadyPoint now) {
  if (now < deadline_) return;
  // A request whose first bytes are here already is served, drain or not.
  if (wait_ == Wait::kRequest && readable()) return;
  expired_ = true;
  broken_ = wait_ == Wait::kWrite;  // also for a handler that waits for peer_gone()
  deadline_ = SteadyPoint::max();
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

bool Connection::readable() {
  char byte = 0;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool Connection::next_has_begun() { return parser_->is_done() && (!in_.empty() || readable()); }

void Connection::begin_drain() {
  if (wait_ == Wait::kRequest) arm(Wait::kRequest);
}

void Connection::cut() {
  shut();
  cancellation_.emit(asio::cancellation_type::terminal);
}

void Connection::shut() noexcept {
  broken_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

// After a handler that did not leave the connection ready for the next request. True where it is made so.
Task<bool> Connection::settle(std::exception_ptr thrown) {
  if (thrown != nullptr && !broken_) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
      log_failure(exception.what());
    } catch (...) {
      log_failure("an exception of unknown type");
    }
  } else if (reply_ != Reply::kDone && !broken_) {
    log_failure(reply_ == Reply::kNone ? "the handler sent no reply" : "the handler did not finish its reply");
  }
  if (unsent_ && !co_await send_unsent()) co_return false;
  if (reply_ == Reply::kBegun) abort();
  if (broken_) co_return false;
  if (reply_ == Reply::kNone) {
    close_ = close_ || thrown != nullptr;
    if (!co_await reply_problem(*this, {ErrorKind::kInternal, "the server failed to handle the request", {}})) {
      co_return false;
    }
  }
  if (!close_ && !co_await discard_body()) close_ = true;
  if (close_) co_await linger();
  co_return !close_;
}

Task<void> Connection::send_refusal() {
  const std::string document = problem_document(*refusal_, trace_);
  close_ = true;
  if (co_await reply(refusal_->status, kProblemType, document, {})) co_await linger();
}

// Reads what the handler left of the body, within bounds, so that the next request can be read.
Task<bool> Connection::discard_body() {
  std::array<std::byte, 16384> scratch;
  std::size_t left = listener_->shared().options.unread_body_bytes;
  while (!parser_->is_done()) {
    const auto count = co_await read_some(scratch);
    if (!count || *count > left) co_return false;
    left -= *count;
  }
  co_return true;
}

// Closes so that the client gets the reply: closing with unread bytes would reset the connection, and with it discard
// the reply (RFC 9112, section 9.6).
Task<void> Connection::linger() {
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  if (peer_closed_ || (parser_->is_done() && !next_has_begun())) co_return;
  arm(Wait::kLinger);
  std::array<char, 16384> scratch;
  for (std::size_t total = 0; total < kLingerBytes;) {
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(scratch), kAwait);
    if (error) break;
    total += count;
  }
}

void Connection::log_failure(std::string_view why) const {
  log::error("request handler failed", trace_.trace_id(),
             {{"server", listener_->shared().options.name}, {"method", method()}, {"path", path()}, {"error", why}});
}

}  // namespace hotswap::net
