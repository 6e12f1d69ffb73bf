// One connection of a Client: one request at a time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <memory>
#include <string>

#include "net/client.h"
#include "net/reply_reader.h"

namespace hotswap::net {

struct Origin {
  std::string host;  // as in the URL, for the Host header's sake with brackets
  std::string port;
  [[nodiscard]] std::string authority() const { return host + (port == "80" ? "" : ":" + port); }
};

// Of a request's body.
struct BodySize {
  bool any = true;                     // whether the request has one at all
  std::optional<std::uint64_t> bytes;  // nullopt: sent in chunks
};

// A request with another method says so where its body is empty.
[[nodiscard]] constexpr bool usually_has_body(std::string_view method) noexcept {
  return method != "GET" && method != "HEAD" && method != "DELETE";
}

using ChunkHandler = std::function<bool(std::string_view)>;

// Ends what waits on it when the deadline passes, by closing its socket.
class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  explicit ClientConnection(const asio::any_io_executor& executor)
      : socket_(executor), resolver_(executor), timer_(executor) {}

  Task<Result<>> connect(const Origin& origin);
  // Begins an exchange: sends the head of a request, and the first bytes of its body. kInvalid, before anything is
  // sent, for what cannot be sent.
  Task<Result<>> start(const ClientRequest& request, const Origin& origin, BodySize size);
  Task<Result<>> send(std::span<const asio::const_buffer> parts);
  Task<Result<ClientResponse>> receive_head(ReplyReader& reader);
  // 0 at the end of the body.
  Task<Result<std::size_t>> receive_body(ReplyReader& reader, std::span<std::byte> into);
  // After a reply that was received whole: the connection may serve another exchange, where both sides want it to.
  void end(const ReplyReader& reader);

  // Sends the request and receives the reply, whose body goes to `chunk` where there is one.
  Task<Result<ClientResponse>> exchange(const ClientRequest& request, const Origin& origin, const ChunkHandler& chunk);

  void set_deadline(std::chrono::milliseconds timeout);
  void clear_deadline();
  // After an exchange: whether another may follow. Asks the kernel whether the server has closed meanwhile.
  [[nodiscard]] bool reusable();
  // Whether a byte of a reply has come, or a byte of a body's source has been taken: then nothing may be sent again.
  [[nodiscard]] bool committed() const noexcept { return committed_; }
  // Whether a byte of the request has been handed to the system.
  [[nodiscard]] bool sent() const noexcept { return sent_; }
  [[nodiscard]] std::string& received() noexcept { return in_; }
  void close();

 private:
  Task<Result<>> send_source(const ClientRequest& request);
  Task<Result<>> receive(ReplyReader& reader);
  [[nodiscard]] std::unexpected<Error> failed(std::string_view doing, const boost::system::error_code& error) const;

  tcp::socket socket_;
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  std::string in_;  // received and not parsed yet
  std::string out_;
  std::chrono::milliseconds timeout_{0};
  bool timed_out_ = false;
  bool committed_ = false;
  bool sent_ = false;
  bool keep_ = false;
};

}  // namespace hotswap::net
