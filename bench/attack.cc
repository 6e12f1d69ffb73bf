#include "attack.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "http_client.h"

namespace hotswap::bench {
namespace {

constexpr std::size_t kPiece = 16'384;  // little enough to hold nobody up
// On one machine the kernel moves what the server sends in the name of whoever reads: with a small window, in small
// pieces.
constexpr int kWindow = 65'536;

}  // namespace

Attack::Attack(const std::string& host, const std::string& port, const std::string& path, const std::string& body_file,
               std::size_t connections)
    : host_(host),
      port_(port),
      request_(request_of(host, path, contents(body_file))),
      epoll_(epoll_create1(0)),
      all_(connections) {
  for (auto& connection : all_) open(connection);
}

Attack::~Attack() {
  for (auto& connection : all_) close(connection);
  ::close(epoll_);
}

void Attack::step() {
  epoll_event event{};
  if (epoll_wait(epoll_, &event, 1, 0) != 1) return;
  auto& connection = *static_cast<Connection*>(event.data.ptr);
  if ((event.events & EPOLLOUT) != 0) {
    send(connection);
  } else {
    receive(connection);
  }
}

void Attack::open(Connection& connection) {
  connection.socket = connect_to(host_, port_, kWindow);
  connection.in.clear();
  connection.sent = 0;
  epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.ptr = &connection}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
}

void Attack::close(Connection& connection) { ::close(connection.socket); }

void Attack::send(Connection& connection) {
  const std::size_t size = std::min(kPiece, request_.size() - connection.sent);
  const ssize_t sent = ::send(connection.socket, request_.data() + connection.sent, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN) {
    close(connection);
    return open(connection);
  }
  connection.sent += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
  if (connection.sent < request_.size()) return;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event);
}

void Attack::receive(Connection& connection) {
  std::array<char, kPiece> buffer;
  const ssize_t size = ::recv(connection.socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    close(connection);
    return open(connection);
  }
  connection.in.append(buffer.data(), static_cast<std::size_t>(size));
  bool ok = false;
  const std::size_t reply = whole_reply(connection.in, ok);
  if (reply == 0) return;
  connection.in.erase(0, reply);
  connection.sent = 0;
  epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.ptr = &connection}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event);
}

}  // namespace hotswap::bench
