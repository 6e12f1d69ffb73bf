// One client connection: reads requests, runs the handler, writes replies. It is itself the Exchange of the request at
// hand, so that a request costs no object.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/intrusive/list.hpp>

#include <array>
#include <exception>
#include <list>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "net/http.h"
#include "net/read_buffer.h"
#include "net/request_parser.h"

namespace hotswap::net {

class Listener;

using ConnectionHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
using UnsentHook = boost::intrusive::list_base_hook<boost::intrusive::tag<struct UnsentTag>,
                                                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// Owned by its coroutine; everything runs on the listener's thread.
class Connection final : public Exchange, public ConnectionHook, public UnsentHook {
 public:
  // Its executor's type is that of the coroutines: completions resume them right away, where another type, even the
  // cheaper concrete one, would send each through an executor's queue function.
  using Socket = tcp::socket;

  Connection(std::shared_ptr<Listener> listener, Socket socket, tcp::endpoint peer);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves requests until the connection ends.
  Task<void> run();

  // ---- for the listener
  void sweep(SteadyPoint now);
  // Shortens an idle connection's deadline.
  void begin_drain();
  // Breaks the connection and cancels the handler. May destroy the connection.
  void cut();
  // Sends a reply that reply() left to the listener, as far as the socket takes it; run() sends the rest.
  void flush();
  [[nodiscard]] asio::cancellation_slot cancellation() noexcept { return cancellation_.slot(); }

  // ---- Exchange: the request (connection_request.cc)
  [[nodiscard]] std::string_view method() const override { return head_.method; }
  [[nodiscard]] std::string_view target() const override { return head_.target; }
  [[nodiscard]] std::string_view path() const override;
  [[nodiscard]] std::string_view query() const override;
  [[nodiscard]] const http::fields& headers() const override { return head_.fields; }
  [[nodiscard]] std::string_view header(http::field name) const override;
  [[nodiscard]] tcp::endpoint peer() const override { return peer_; }
  [[nodiscard]] const TraceContext& trace() const override { return trace_; }
  [[nodiscard]] const std::vector<std::string>& params() const override { return params_; }
  void set_params(std::vector<std::string> params) override { params_ = std::move(params); }
  [[nodiscard]] std::optional<std::uint64_t> body_size() const override;
  Task<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  Task<Result<std::string>> read_all(std::size_t limit) override;
  [[nodiscard]] std::string_view buffered_body() override;
  [[nodiscard]] bool body_done() const override { return parser_->is_done(); }
  [[nodiscard]] const http::fields& trailers() const override { return head_.trailers; }
  Task<void> peer_gone() override;

  // ---- Exchange: the reply (connection_reply.cc)
  Task<Result<>> reply(unsigned status, std::string_view content_type, std::string_view body,
                       std::span<const Header> headers) override;
  Task<Result<>> begin(unsigned status, std::span<const Header> headers, std::optional<std::uint64_t> size) override;
  Task<Result<>> write(std::span<const std::byte> bytes) override;
  Task<Result<>> finish(std::span<const Header> trailers) override;
  void abort() override;
  [[nodiscard]] bool replied() const override { return reply_ != Reply::kNone; }

 private:
  // What the connection waits for; each has its timeout.
  enum class Wait : std::uint8_t { kNothing, kRequest, kHead, kBody, kWrite, kLinger };
  enum class Reply : std::uint8_t { kNone, kBegun, kDone };
  enum class Parsed : std::uint8_t { kHead, kMore, kBad };
  using Parts = std::array<asio::const_buffer, 3>;

  void next_request();
  [[nodiscard]] Parsed parse_head();
  [[nodiscard]] Parsed refuse(unsigned status, std::string_view slug, std::string_view title, std::string detail);
  void identify();
  [[nodiscard]] bool readable();
  // Whether bytes of another request have come behind the one at hand.
  [[nodiscard]] bool next_has_begun();
  void arm(Wait wait);
  void disarm() noexcept;
  Task<bool> settle(std::exception_ptr thrown);
  Task<void> send_refusal();
  Task<bool> discard_body();
  Task<void> linger();
  void log_failure(std::string_view why) const;

  // The next piece of the body out of the buffer, at most `limit` bytes; empty where there is none yet, or no more.
  Result<std::string_view> take_piece(std::size_t limit);
  Task<Result<std::size_t>> receive(char* into, std::size_t size);
  Task<Result<>> fill();
  Task<Result<>> send_continue();
  [[nodiscard]] std::unexpected<Error> body_failed(ErrorKind kind, std::string detail);

  [[nodiscard]] bool leaves_much_unread() const;
  void start_head(unsigned status);
  // Adds Connection and the empty line.
  void end_head();
  Task<Result<>> send(Parts parts);
  // Whether the reply in out_ may wait for the others of this turn of the loop.
  [[nodiscard]] bool may_wait() const;
  Task<bool> send_unsent();
  Task<Result<>> send_rest(Parts parts, std::size_t sent);
  [[nodiscard]] std::unexpected<Error> broken();
  void shut() noexcept;

  std::shared_ptr<Listener> listener_;
  Socket socket_;
  tcp::endpoint peer_;
  asio::cancellation_signal cancellation_;
  ReadBuffer in_;
  std::string out_;
  RequestHead head_;
  std::optional<RequestParser> parser_;
  std::size_t head_bytes_ = 0;  // of the request's head, parsed so far
  TraceContext trace_;
  std::vector<std::string> params_;
  std::list<std::string> gathered_;  // pieces given out by buffered_body() of a chunked request
  std::optional<Problem> refusal_;
  std::optional<Error> body_error_;
  SteadyPoint deadline_ = SteadyPoint::max();
  std::uint64_t body_left_ = 0;  // of a reply of known size
  std::size_t sent_ = 0;         // of out_, where unsent_
  Wait wait_ = Wait::kNothing;
  Reply reply_ = Reply::kNone;
  bool broken_ = false;         // nothing can be read or written any more
  bool peer_closed_ = false;    // no more bytes will come
  bool expired_ = false;        // the sweep ended a wait
  bool close_ = false;          // after this reply
  bool owes_continue_ = false;  // the client waits for "100 Continue"
  bool chunked_reply_ = false;
  bool drop_body_ = false;  // HEAD and statuses without a body
  bool sized_reply_ = false;
  bool unsent_ = false;  // out_ holds the rest of a reply that is done
};

}  // namespace hotswap::net
