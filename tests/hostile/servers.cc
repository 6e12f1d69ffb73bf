#include "hostile/servers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace hotswap::e2e {
namespace {

constexpr int kTurnMs = 50;  // between two looks at whether the server is to end
constexpr const char* kNameServer = "127.0.0.253";
constexpr std::uint16_t kNamePort = 53;

[[noreturn]] void fail_with(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

sockaddr_in address(const char* host, std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  ::inet_pton(AF_INET, host, &made.sin_addr);
  return made;
}

bool readable(int socket) {
  pollfd wanted{.fd = socket, .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, kTurnMs) > 0;
}

bool send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void openssl(const std::string& line) {
  const std::string command = "openssl " + line + " >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);  // NOLINT(cert-env33-c)
}

}  // namespace

WebServer::WebServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto at = address("127.0.0.1", 0);
  socklen_t size = sizeof at;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener_, SOMAXCONN) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    fail_with("a server of the test");
  }
  port_ = ntohs(at.sin_port);
  thread_ = std::thread([this] {
    while (!ending_.load()) {
      if (!readable(listener_)) continue;
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      ++seen_;
      serve(connection);
      ::close(connection);
    }
  });
}

WebServer::~WebServer() {
  ending_.store(true);
  thread_.join();
  ::close(listener_);
}

void WebServer::serve(int connection) const {
  std::string head;
  std::array<char, 65536> buffer;
  const auto more = [&] {
    while (!ending_.load()) {
      if (!readable(connection)) continue;
      const ssize_t size = ::recv(connection, buffer.data(), buffer.size(), 0);
      return size <= 0 ? std::string_view() : std::string_view(buffer.data(), static_cast<std::size_t>(size));
    }
    return std::string_view();
  };
  while (head.find("\r\n\r\n") == std::string::npos) {
    const auto piece = more();
    if (piece.empty()) return;
    head += piece;
  }
  std::string method;
  std::string target;
  std::istringstream(head) >> method >> target;
  const std::string path = target.substr(0, target.find('?'));
  const std::string query = path.size() < target.size() ? target.substr(path.size() + 1) : "";
  if (path == "/redirect") {
    send_all(connection, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + query + "\r\n\r\n");
  } else if (path == "/huge") {
    send_all(connection, "HTTP/1.1 200 OK\r\nContent-Length: " + query + "\r\n\r\n") &&
        send_all(connection, std::string(std::stoul(query), 'x'));
  } else if (path == "/slow") {
    send_all(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx");
    // Until the other side gives up.
    while (!more().empty()) {
    }
  } else if (path == "/take") {
    while (!more().empty()) {
    }
  } else {
    send_all(connection, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(head.size()) + "\r\n\r\n" + head);
  }
}

TlsServer::TlsServer(const std::string& name) : authority_(folder_.path() + "/ca.pem") {
  const std::string at = folder_.path() + '/';
  openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-authority -keyout " +
          at + "ca.key -out " + authority_);
  std::ofstream(at + "names") << "subjectAltName=DNS:" << name << "\n";
  openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout " + at + "key -out " + at +
          "request");
  openssl("x509 -req -days 2 -in " + at + "request -CA " + authority_ + " -CAkey " + at +
          "ca.key -CAcreateserial -extfile " + at + "names -out " + at + "certificate");
  std::array<int, 2> out{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) fail_with("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::vector<std::string> words{"openssl", "s_server",         "-4",   "-accept", "127.0.0.1:0", "-www",
                                 "-cert",   at + "certificate", "-key", at + "key"};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int failed = ::posix_spawnp(&id_, "openssl", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  if (failed != 0) throw std::system_error(failed, std::generic_category(), "openssl s_server");
  // "ACCEPT 127.0.0.1:43210"
  std::string said;
  std::array<char, 256> buffer;
  for (std::size_t line = 0; port_ == 0;) {
    const ssize_t size = ::read(out[0], buffer.data(), buffer.size());
    if (size <= 0) throw std::runtime_error("openssl s_server said: " + said);
    said.append(buffer.data(), static_cast<std::size_t>(size));
    line = said.find("ACCEPT ");
    if (line == std::string::npos || said.find('\n', line) == std::string::npos) continue;
    const std::string accept = said.substr(line, said.find('\n', line) - line);
    port_ = static_cast<std::uint16_t>(std::stoul(accept.substr(accept.rfind(':') + 1)));
  }
  ::close(out[0]);
}

TlsServer::~TlsServer() {
  ::kill(id_, SIGKILL);
  ::waitpid(id_, nullptr, 0);
}

std::string NameServer::why_not() {
  if (::geteuid() != 0) return "a name server of the test's own needs root";
  if (std::system("unshare -m true >/dev/null 2>&1") != 0) return "this machine allows no mount namespaces";  // NOLINT
  return "";
}

NameServer::NameServer(std::map<std::string, std::vector<std::string>> answers)
    : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), answers_(std::move(answers)) {
  const auto at = address(kNameServer, kNamePort);
  if (::bind(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) fail_with("a name server of the test");
  std::ofstream(folder_.path() + "/resolv.conf") << "nameserver " << kNameServer << "\n";
  thread_ = std::thread([this] { run(); });
}

NameServer::~NameServer() {
  ending_.store(true);
  thread_.join();
  ::close(socket_);
}

std::vector<std::string> NameServer::before() const {
  const std::string mount = "mount --bind " + folder_.path() + "/resolv.conf /etc/resolv.conf && exec \"$@\"";
  return {"unshare", "-m", "sh", "-c", mount, "sh"};
}

std::size_t NameServer::asked(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = asked_.find(name);
  return found == asked_.end() ? 0 : found->second;
}

void NameServer::run() {
  while (!ending_.load()) {
    if (!readable(socket_)) continue;
    std::array<char, 512> buffer;
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t got = ::recvfrom(socket_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 17) continue;
    const std::string reply = answer(std::string(buffer.data(), static_cast<std::size_t>(got)));
    ::sendto(socket_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
}

std::string NameServer::answer(const std::string& query) {
  // RFC 1035: 12 bytes of header, then labels with their lengths, type and class.
  std::string name;
  std::size_t at = 12;
  while (at < query.size() && query[at] != 0) {
    const auto length = static_cast<std::size_t>(query[at]);
    name += (name.empty() ? "" : ".") + query.substr(at + 1, length);
    at += length + 1;
  }
  const std::string question = query.substr(12, at + 5 - 12);
  const bool ipv4 = question.size() >= 4 && question[question.size() - 3] == 1;
  std::istringstream addresses;
  {
    const std::scoped_lock lock(mutex_);
    const auto known = answers_.find(name);
    if (ipv4 && known != answers_.end()) {
      const std::size_t turn = asked_[name]++;
      addresses.str(known->second[std::min(turn, known->second.size() - 1)]);
    }
  }
  std::string records;
  char count = 0;
  for (std::string text; addresses >> text; ++count) {
    in_addr number{};
    ::inet_pton(AF_INET, text.c_str(), &number);
    // The name as a pointer, type A, class IN, to be forgotten at once, four bytes.
    records += std::string("\xc0\x0c\0\1\0\1\0\0\0\0\0\4", 12);
    records.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  return query.substr(0, 2) + std::string("\x81\x80\0\1\0", 5) + count + std::string(4, '\0') + question + records;
}

}  // namespace hotswap::e2e
