// One connection of a Client: one request at a time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <memory>
#include <string>

#include "net/client.h"

namespace hotswap::net {

struct Origin {
  std::string host;  // as in the URL, for the Host header's sake with brackets
  std::string port;
  [[nodiscard]] std::string authority() const { return host + (port == "80" ? "" : ":" + port); }
};

using ChunkHandler = std::function<bool(std::string_view)>;

// Ends what waits on it when the deadline passes, by closing its socket.
class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  explicit ClientConnection(const asio::any_io_executor& executor)
      : socket_(executor), resolver_(executor), timer_(executor) {}

  Task<Result<>> connect(const Origin& origin);
  // Sends the request and receives the reply, whose body goes to `chunk` where there is one.
  Task<Result<ClientResponse>> exchange(const ClientRequest& request, const Origin& origin, const ChunkHandler& chunk);

  void set_deadline(std::chrono::milliseconds timeout);
  void clear_deadline();
  // After an exchange: whether another may follow. Asks the kernel whether the server has closed meanwhile.
  [[nodiscard]] bool reusable();
  // Whether a byte of a reply has come, or a byte of a body's source has been taken: then nothing may be sent again.
  [[nodiscard]] bool committed() const noexcept { return committed_; }
  void close();

 private:
  Task<Result<>> send_head(const ClientRequest& request, const Origin& origin);
  Task<Result<>> send_source(const ClientRequest& request);
  Task<Result<>> send(std::span<const asio::const_buffer> parts);
  [[nodiscard]] std::unexpected<Error> failed(std::string_view doing, const boost::system::error_code& error) const;

  tcp::socket socket_;
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  std::string in_;  // received and not parsed yet
  std::string out_;
  std::chrono::milliseconds timeout_{0};
  bool timed_out_ = false;
  bool committed_ = false;
  bool keep_ = false;
};

}  // namespace hotswap::net
