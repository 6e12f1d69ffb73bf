// The reply's side of Connection: one gathered write per reply, without waiting wherever the socket takes it.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

#include "net/connection.h"
#include "net/listener.h"
#include "net/reply_head.h"

namespace hotswap::net {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::deferred);
// Up to here copying a body behind its head costs less than a gathered write.
constexpr std::size_t kCopyBytes = 4 * limits::kKiB;

asio::const_buffer buffer(std::string_view text) { return {text.data(), text.size()}; }

Result<> check_reply(bool replied, unsigned status, std::span<const Header> headers) {
  if (replied) return fail(ErrorKind::kInternal, "a reply was sent already");
  if (status < 200 || status > 999) return fail(ErrorKind::kInternal, std::to_string(status) + " is no final status");
  return check_fields(headers);
}

// As much of `parts` as is sent at a stretch: others on the thread do not wait for a large reply.
template <class Parts>
Parts first_piece(Parts parts) {
  std::size_t room = limits::kReplyPiece;
  for (auto& part : parts) {
    part = asio::buffer(part, room);
    room -= part.size();
  }
  return parts;
}

// Bytes sent without waiting; -1 where the connection is broken.
template <class Parts>
ssize_t try_send(int socket, const Parts& parts) {
  std::array<iovec, std::tuple_size_v<Parts>> vectors;
  msghdr message{};
  message.msg_iov = vectors.data();
  for (const auto& part : first_piece(parts)) {
    if (part.size() > 0) vectors[message.msg_iovlen++] = {const_cast<void*>(part.data()), part.size()};
  }
  constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
  for (;;) {
    const ssize_t sent = message.msg_iovlen == 1 ? ::send(socket, vectors[0].iov_base, vectors[0].iov_len, kFlags)
                                                 : ::sendmsg(socket, &message, kFlags);
    if (sent >= 0) return sent;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return -1;
  }
}

}  // namespace

Task<Result<>> Connection::reply(unsigned status, std::string_view content_type, std::string_view body,
                                 std::span<const Header> headers) {
  HS_CO_CHECK(check_reply(replied(), status, headers));
  start_head(status);
  if (!content_type.empty()) append_field(out_, "Content-Type", content_type);
  if (append_handler_fields(out_, headers)) close_ = true;
  if (!bodiless(status)) append_content_length(out_, body.size());
  if (leaves_much_unread()) close_ = true;
  end_head();
  reply_ = Reply::kDone;
  if (drop_body_) body = {};
  if (body.size() <= kCopyBytes) {
    out_ += body;
    body = {};
  }
  if (body.empty() && may_wait()) {
    sent_ = 0;
    unsent_ = true;
    listener_->flush_later(*this);
    co_return Result<>{};
  }
  const Parts parts{buffer(out_), buffer(body)};
  const ssize_t sent = broken_ ? -1 : try_send(socket_.native_handle(), parts);
  if (sent < 0) co_return broken();
  if (static_cast<std::size_t>(sent) == out_.size() + body.size()) co_return Result<>{};
  co_return co_await send_rest(parts, static_cast<std::size_t>(sent));
}

Task<Result<>> Connection::begin(unsigned status, std::span<const Header> headers, std::optional<std::uint64_t> size) {
  HS_CO_CHECK(check_reply(replied(), status, headers));
  start_head(status);
  if (append_handler_fields(out_, headers)) close_ = true;
  sized_reply_ = size.has_value();
  body_left_ = size.value_or(0);
  chunked_reply_ = !size && parser_->http11() && !bodiless(status);
  if (chunked_reply_) {
    out_ += "Transfer-Encoding: chunked\r\n";
  } else if (size && !bodiless(status)) {
    append_content_length(out_, *size);
  } else if (!size && !bodiless(status)) {
    close_ = true;  // HTTP/1.0: the body ends with the connection
  }
  end_head();
  reply_ = Reply::kBegun;
  if (sized_reply_ && !drop_body_ && body_left_ > 0) co_return Result<>{};
  const Parts parts{buffer(out_)};
  HS_CO_CHECK(co_await send(parts));
  out_.clear();
  co_return Result<>{};
}

Task<Result<>> Connection::write(std::span<const std::byte> bytes) {
  if (broken_) co_return broken();
  if (reply_ != Reply::kBegun) co_return fail(ErrorKind::kInternal, "write() outside of begin() and finish()");
  if (bytes.empty() || drop_body_) co_return Result<>{};
  const asio::const_buffer body(bytes.data(), bytes.size());
  if (chunked_reply_) {
    out_.clear();
    append_chunk_size(out_, bytes.size());
    const Parts parts{buffer(out_), body, buffer("\r\n")};
    co_return co_await send(parts);
  }
  if (sized_reply_) {
    if (bytes.size() > body_left_) {
      abort();
      co_return fail(ErrorKind::kInternal, "the reply's body is longer than stated");
    }
    body_left_ -= bytes.size();
  }
  const Parts parts{buffer(out_), body};
  HS_CO_CHECK(co_await send(parts));
  out_.clear();
  co_return Result<>{};
}

Task<Result<>> Connection::finish(std::span<const Header> trailers) {
  if (broken_) co_return broken();
  if (reply_ != Reply::kBegun) co_return fail(ErrorKind::kInternal, "finish() without begin()");
  HS_CO_CHECK(check_fields(trailers));
  if (sized_reply_ && !drop_body_ && body_left_ > 0) {
    abort();
    co_return fail(ErrorKind::kInternal, "the reply's body is shorter than stated");
  }
  reply_ = Reply::kDone;
  if (!chunked_reply_ || drop_body_) co_return Result<>{};
  out_ = "0\r\n";
  std::ignore = append_handler_fields(out_, trailers);
  out_ += "\r\n";
  const Parts parts{buffer(out_)};
  co_return co_await send(parts);
}

void Connection::abort() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);  // a reset, so that no client takes it for the end
  shut();
}

void Connection::start_head(unsigned status) {
  out_.clear();
  append_status_line(out_, status);
  drop_body_ = bodiless(status) || head_.method == "HEAD";
}

// Whether more of the body is to come than is worth reading for the connection's sake.
bool Connection::leaves_much_unread() const {
  if (!parser_->is_header_done()) return true;
  return !parser_->is_done() && !parser_->chunked() &&
         parser_->body_left() > listener_->shared().options.unread_body_bytes;
}

void Connection::end_head() {
  append_traceparent(out_, trace_);
  // Where the client still waits for "100 Continue", nobody knows whether the body will come. A draining server still
  // serves what a client has pipelined.
  const bool keep = !close_ && !owes_continue_ && parser_->is_header_done() && parser_->keep_alive() &&
                    (!listener_->draining() || next_has_begun());
  close_ = !keep;
  if (!keep) {
    out_ += "Connection: close\r\n";
  } else if (!parser_->http11()) {
    out_ += "Connection: keep-alive\r\n";
  }
  out_ += "\r\n";
}

bool Connection::may_wait() const { return !close_ && !broken_ && parser_->is_done() && listener_->shares_turn(); }

void Connection::flush() {
  if (broken_ || !unsent_) return;
  const ssize_t sent =
      try_send(socket_.native_handle(), std::array{asio::const_buffer(out_.data(), out_.size()) + sent_});
  if (sent < 0) return shut();
  sent_ += static_cast<std::size_t>(sent);
  unsent_ = sent_ < out_.size();
  if (unsent_ && (wait_ == Wait::kRequest || wait_ == Wait::kHead)) {
    boost::system::error_code ignored;
    socket_.cancel(ignored);  // the client does not read: run() waits for it instead
  }
}

Task<bool> Connection::send_unsent() {
  if (UnsentHook::is_linked()) UnsentHook::unlink();
  unsent_ = false;
  const Wait interrupted = wait_;
  const auto rest = co_await send_rest({buffer(out_)}, sent_);
  if (rest && interrupted != Wait::kNothing) arm(interrupted);
  co_return rest.has_value();
}

Task<Result<>> Connection::send(Parts parts) {
  if (broken_) co_return broken();
  const ssize_t sent = try_send(socket_.native_handle(), parts);
  if (sent < 0) co_return broken();
  if (static_cast<std::size_t>(sent) == asio::buffer_size(parts)) co_return Result<>{};
  co_return co_await send_rest(parts, static_cast<std::size_t>(sent));
}

Task<Result<>> Connection::send_rest(Parts parts, std::size_t sent) {
  for (;;) {
    for (auto& part : parts) {
      const std::size_t skipped = std::min(sent, part.size());
      part += skipped;
      sent -= skipped;
    }
    if (asio::buffer_size(parts) == 0) co_return Result<>{};
    arm(Wait::kWrite);
    const auto [error, count] = co_await socket_.async_write_some(first_piece(parts), kAwait);
    disarm();
    if (error || broken_) co_return broken();
    sent = count;
  }
}

std::unexpected<Error> Connection::broken() {
  shut();
  return fail(ErrorKind::kUnavailable, "the client closed the connection");
}

}  // namespace hotswap::net
