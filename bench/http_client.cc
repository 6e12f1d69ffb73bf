#include "http_client.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace hotswap::bench {

void die(const std::string& what) {
  fmt::print(stderr, "{}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

std::string contents(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string request_of(const std::string& host, const std::string& path, const std::string& body) {
  return body.empty() ? fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", path, host)
                      : fmt::format(
                            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
                            "Content-Length: {}\r\n\r\n{}",
                            path, host, body.size(), body);
}

int connect_to(const std::string& host, const std::string& port, int window) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) die("getaddrinfo");
  const int fd = ::socket(found->ai_family, SOCK_STREAM, 0);
  if (window > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
  if (::connect(fd, found->ai_addr, found->ai_addrlen) != 0) die("connect");
  freeaddrinfo(found);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

std::size_t whole_reply(const std::string& in, bool& ok) {
  const auto head = in.find("\r\n\r\n");
  if (head == std::string::npos) return 0;
  ok = in.size() > 9 && in[9] == '2';
  std::string fields = in.substr(0, head + 2);
  std::ranges::transform(fields, fields.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (const auto at = fields.find("\r\ncontent-length:"); at != std::string::npos) {
    const std::size_t size = head + 4 + std::strtoull(fields.c_str() + at + 17, nullptr, 10);
    return in.size() >= size ? size : 0;
  }
  const auto end = in.find("\r\n0\r\n\r\n", head);
  return end == std::string::npos ? 0 : end + 7;
}

}  // namespace hotswap::bench
