// An open-loop HTTP load generator: requests leave at a fixed rate whatever the server does, and a latency counts from
// the moment at which its request was due, so that a stall shows in every request that it delayed. With --rate 0 it is
// closed-loop. Prints one JSON object. A request fails when its status is not 2xx or its connection breaks.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
namespace json = boost::json;

struct Options {
  std::string host = "127.0.0.1";
  std::string port;
  std::vector<std::string> paths{"/"};
  std::string body_file;
  double rate = 0;  // requests a second; 0 = as fast as replies come
  int connections = 64;
  double seconds = 5;
};

struct Connection {
  int socket = -1;
  std::string in;
  std::deque<Clock::time_point> due;  // of the requests that wait for a reply
};

struct Tally {
  std::vector<float> latencies_us;
  std::uint64_t failures = 0;
  std::uint64_t cuts = 0;
};

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "{}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

int connect_to(const Options& options) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(options.host.c_str(), options.port.c_str(), &hints, &found) != 0) die("getaddrinfo");
  const int fd = ::socket(found->ai_family, SOCK_STREAM, 0);
  if (::connect(fd, found->ai_addr, found->ai_addrlen) != 0) die("connect");
  freeaddrinfo(found);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

std::vector<std::string> requests_of(const Options& options) {
  std::string body;
  if (!options.body_file.empty()) {
    std::ifstream in(options.body_file, std::ios::binary);
    body.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::vector<std::string> requests;
  for (const auto& path : options.paths) {
    requests.push_back(body.empty() ? fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", path, options.host)
                                    : fmt::format("POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
                                                  "Content-Length: {}\r\n\r\n{}",
                                                  path, options.host, body.size(), body));
  }
  return requests;
}

// Bytes of the first whole reply in `in`, or 0. Replies state Content-Length or are chunked.
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

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), requests_(requests_of(options)), epoll_(epoll_create1(0)), all_(options.connections) {
    for (std::size_t i = 0; i < all_.size(); ++i) open(i);
    if (options.rate > 0) tally_.latencies_us.reserve(static_cast<std::size_t>(options.rate * options.seconds) + 1);
  }

  json::object run() {
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.seconds));
    std::uint64_t sent = 0;
    if (options_.rate <= 0) {
      for (auto& connection : all_) send(connection, Clock::now(), sent++);
    }
    while (Clock::now() < end) {
      if (options_.rate > 0) send_due(start, sent);
      receive(options_.rate <= 0, sent);
    }
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    std::ranges::sort(tally_.latencies_us);
    return {{"requests", tally_.latencies_us.size()},
            {"seconds", elapsed},
            {"requestsPerSecond", static_cast<double>(tally_.latencies_us.size()) / elapsed},
            {"failures", tally_.failures},
            {"cutConnections", tally_.cuts},
            {"p50Us", percentile(0.5)},
            {"p90Us", percentile(0.9)},
            {"p99Us", percentile(0.99)},
            {"p999Us", percentile(0.999)},
            {"maxUs", percentile(1)}};
  }

 private:
  void open(std::size_t index) {
    all_[index].socket = connect_to(options_);
    all_[index].in.clear();
    epoll_event event{.events = EPOLLIN, .data = {.u64 = index}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, all_[index].socket, &event);
  }

  void send(Connection& connection, Clock::time_point due, std::uint64_t serial) {
    const std::string& request = requests_[serial % requests_.size()];
    connection.due.push_back(due);
    if (::send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      ++tally_.failures;
    }
  }

  // Spins rather than sleeps: at tens of thousands a second a sleep is longer than the gap.
  void send_due(Clock::time_point start, std::uint64_t& sent) {
    for (;;) {
      const auto due = start + std::chrono::duration_cast<Clock::duration>(
                                   std::chrono::duration<double>(static_cast<double>(sent) / options_.rate));
      if (due > Clock::now()) return;
      send(all_[sent % all_.size()], due, sent);
      ++sent;
    }
  }

  void receive(bool closed_loop, std::uint64_t& sent) {
    std::array<epoll_event, 256> events;
    const int count = epoll_wait(epoll_, events.data(), events.size(), closed_loop ? 10 : 0);
    for (int i = 0; i < count; ++i) {
      Connection& connection = all_[events[static_cast<std::size_t>(i)].data.u64];
      std::array<char, 65536> buffer;
      const ssize_t size = ::recv(connection.socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (size <= 0) {
        reopen(events[static_cast<std::size_t>(i)].data.u64);
        continue;
      }
      connection.in.append(buffer.data(), static_cast<std::size_t>(size));
      bool ok = false;
      while (const std::size_t reply = whole_reply(connection.in, ok)) {
        finish(connection, reply, ok);
        if (closed_loop) send(connection, Clock::now(), sent++);
      }
    }
  }

  void finish(Connection& connection, std::size_t reply, bool ok) {
    connection.in.erase(0, reply);
    if (connection.due.empty()) die("a reply without a request");
    tally_.latencies_us.push_back(
        std::chrono::duration<float, std::micro>(Clock::now() - connection.due.front()).count());
    connection.due.pop_front();
    if (!ok) ++tally_.failures;
  }

  void reopen(std::size_t index) {
    Connection& connection = all_[index];
    tally_.failures += connection.due.size();
    if (!connection.due.empty()) ++tally_.cuts;
    connection.due.clear();
    ::close(connection.socket);
    open(index);
  }

  [[nodiscard]] double percentile(double share) const {
    if (tally_.latencies_us.empty()) return 0;
    const auto last = static_cast<double>(tally_.latencies_us.size() - 1);
    return tally_.latencies_us[static_cast<std::size_t>(last * share)];
  }

  const Options& options_;
  std::vector<std::string> requests_;
  int epoll_;
  std::vector<Connection> all_;
  Tally tally_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Open-loop HTTP load");
  app.add_option("--host", options.host);
  app.add_option("--port", options.port)->required();
  app.add_option("--path", options.paths, "Several are taken in turn");
  app.add_option("--body", options.body_file, "POST this file as JSON");
  app.add_option("--rate", options.rate, "Requests a second; 0 = closed loop");
  app.add_option("--connections", options.connections);
  app.add_option("--seconds", options.seconds);
  CLI11_PARSE(app, argc, argv);
  fmt::print("{}\n", json::serialize(Load(options).run()));
}
