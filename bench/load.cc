// An open-loop HTTP load generator: requests leave at a fixed rate whatever the server does, and a latency counts from
// the moment at which its request was due, so that a stall shows in every request that it delayed. With --rate 0 it is
// closed-loop. Prints one JSON object. A request fails when its status is not 2xx or its connection breaks.
//
// With --attack the load runs on and on while an attack comes and goes, and what it measures is told apart: "calm" and
// "busy", a report for each turn of a second, so many turns each. Short turns let both see the same machine, which has
// stalls of its own.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "attack.h"
#include "http_client.h"

namespace hotswap::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kTurn = 1;      // seconds with an attack, or without one
constexpr double kSettle = 0.3;  // seconds after its begin and its end that are not measured

namespace json = boost::json;

struct Options {
  std::string host = "127.0.0.1";
  std::string port;
  std::vector<std::string> paths{"/"};
  std::string body_file;
  double rate = 0;  // requests a second; 0 = as fast as replies come
  int connections = 64;
  double seconds = 5;
  std::string attack_file;
  std::size_t attackers = 1;
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
  double seconds = 0;

  [[nodiscard]] double percentile(double share) const {
    if (latencies_us.empty()) return 0;
    const auto last = static_cast<double>(latencies_us.size() - 1);
    return latencies_us[static_cast<std::size_t>(last * share)];
  }

  [[nodiscard]] json::object report() {
    std::ranges::sort(latencies_us);
    return {{"requests", latencies_us.size()},
            {"seconds", seconds},
            {"requestsPerSecond", static_cast<double>(latencies_us.size()) / seconds},
            {"failures", failures},
            {"cutConnections", cuts},
            {"p50Us", percentile(0.5)},
            {"p90Us", percentile(0.9)},
            {"p99Us", percentile(0.99)},
            {"p999Us", percentile(0.999)},
            {"maxUs", percentile(1)}};
  }
};

std::vector<std::string> requests_of(const Options& options) {
  const std::string body = options.body_file.empty() ? "" : contents(options.body_file);
  std::vector<std::string> requests;
  for (const auto& path : options.paths) requests.push_back(request_of(options.host, path, body));
  return requests;
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), requests_(requests_of(options)), epoll_(epoll_create1(0)), all_(options.connections) {
    for (std::size_t i = 0; i < all_.size(); ++i) open(i);
  }

  json::object run() {
    if (options_.attack_file.empty()) {
      measure(options_.seconds);
      return tally_.report();
    }
    json::array calm;
    json::array busy;
    for (double done = 0; done < options_.seconds; done += kTurn) {
      const auto failed = turn(kSettle).failures;
      calm.push_back(turn(kTurn, failed).report());
      attack_.emplace(options_.host, options_.port, options_.paths.front(), options_.attack_file, options_.attackers);
      const auto failed_at_first = turn(kSettle).failures;
      busy.push_back(turn(kTurn, failed_at_first).report());
      attack_.reset();
    }
    return {{"calm", std::move(calm)}, {"busy", std::move(busy)}};
  }

 private:
  // What a turn measures, and so many failures of before.
  Tally turn(double seconds, std::uint64_t failures = 0) {
    tally_ = {};
    tally_.failures = failures;
    measure(seconds);
    return std::move(tally_);
  }

  void measure(double seconds) {
    const auto start = Clock::now();
    const auto end = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    tally_.latencies_us.reserve(tally_.latencies_us.size() + static_cast<std::size_t>(options_.rate * seconds) + 1);
    std::uint64_t sent = 0;
    if (options_.rate <= 0) {
      for (auto& connection : all_) {
        if (connection.due.empty()) send(connection, Clock::now(), sent++);
      }
    }
    while (Clock::now() < end) {
      if (options_.rate > 0) send_due(start, sent);
      receive(options_.rate <= 0, sent);
      if (attack_) attack_->step();
    }
    tally_.seconds += std::chrono::duration<double>(Clock::now() - start).count();
  }

  void open(std::size_t index) {
    all_[index].socket = connect_to(options_.host, options_.port);
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
    const int count = epoll_wait(epoll_, events.data(), events.size(), closed_loop && !attack_ ? 10 : 0);
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

  const Options& options_;
  std::vector<std::string> requests_;
  int epoll_;
  std::vector<Connection> all_;
  std::optional<Attack> attack_;
  Tally tally_;
};

}  // namespace
}  // namespace hotswap::bench

int main(int argc, char** argv) {
  hotswap::bench::Options options;
  CLI::App app("Open-loop HTTP load");
  app.add_option("--host", options.host);
  app.add_option("--port", options.port)->required();
  app.add_option("--path", options.paths, "Several are taken in turn");
  app.add_option("--body", options.body_file, "POST this file as JSON");
  app.add_option("--rate", options.rate, "Requests a second; 0 = closed loop");
  app.add_option("--connections", options.connections);
  app.add_option("--seconds", options.seconds);
  app.add_option("--attack", options.attack_file, "Other connections POST this file to the first path, in turns");
  app.add_option("--attackers", options.attackers, "So many connections");
  CLI11_PARSE(app, argc, argv);
  fmt::print("{}\n", boost::json::serialize(hotswap::bench::Load(options).run()));
}
