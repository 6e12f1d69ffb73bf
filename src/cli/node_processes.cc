#include "cli/node_processes.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "base/json.h"
#include "base/log.h"

namespace hotswap::cli {
namespace {

// NOLINTNEXTLINE(misc-unused-using-decls): used in a co_await expression below, where clang-tidy does not look
using asio::experimental::awaitable_operators::operator||;

constexpr int kReadyTimeoutMs = 120'000;
constexpr int kCannotRun = 127;
constexpr std::chrono::milliseconds kLookEvery{250};  // for processes that ended by themselves
constexpr std::chrono::seconds kRestartPause{1};      // doubled each time that one ends soon after its start
constexpr std::chrono::seconds kRestartPauseMost{30};
constexpr std::chrono::seconds kSoon{60};
constexpr const char* kThisProgram = "/proc/self/exe";

std::unexpected<Error> cannot(std::string_view doing) {
  return fail(ErrorKind::kUnavailable,
              fmt::format("cannot {} a node process: {}", doing, std::generic_category().message(errno)));
}

struct Started {
  pid_t id = -1;
  int out = -1;
};

Result<Started> spawn(std::vector<std::string> arguments, const std::string& join_token) {
  std::array<int, 2> out{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) return cannot("start");
  // The token goes by the environment: arguments can be read by every user of the machine.
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("HOTSWAP_JOIN_TOKEN=")) environment.emplace_back(*entry);
  }
  environment.push_back("HOTSWAP_JOIN_TOKEN=" + join_token);
  std::vector<char*> argv;
  std::vector<char*> envp;
  for (auto& word : arguments) argv.push_back(word.data());
  for (auto& word : environment) envp.push_back(word.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t id = ::fork();
  if (id == 0) {
    // Only what is safe in the child of a process with threads.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(kCannotRun);
    // Ctrl-C reaches the whole terminal: the children end when they are told to.
    ::setpgid(0, 0);
    ::dup2(out[1], STDOUT_FILENO);
    ::execve(kThisProgram, argv.data(), envp.data());
    ::_exit(kCannotRun);
  }
  ::close(out[1]);
  if (id < 0) {
    ::close(out[0]);
    return cannot("start");
  }
  return Started{id, out[0]};
}

Result<std::string> first_line(int stream) {
  std::string line;
  for (char c = 0;;) {
    pollfd readable{stream, POLLIN, 0};
    if (::poll(&readable, 1, kReadyTimeoutMs) == 0) {
      return fail(ErrorKind::kDeadline, fmt::format("a node process is not ready within {} ms", kReadyTimeoutMs));
    }
    const ssize_t got = ::read(stream, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot("read from");
    if (got == 0) return fail(ErrorKind::kUnavailable, "a node process ended before it was ready; it said why above");
    if (c == '\n') return line;
    line += c;
  }
}

Result<std::string> gateway_of(const std::string& line) {
  HS_TRY(const json::value ready, parse_json(line));
  return std::string(ready.at("gateway").as_string());
}

// A descriptor of a process as Asio waits for it. It stays the caller's.
class Stream {
 public:
  Stream(const asio::any_io_executor& executor, int descriptor) : stream_(executor, descriptor) {}
  ~Stream() { stream_.release(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  asio::posix::stream_descriptor& operator*() noexcept { return stream_; }

 private:
  asio::posix::stream_descriptor stream_;
};

Task<Result<std::string>> next_line(int out) {
  Stream stream(co_await asio::this_coro::executor, out);
  std::string line;
  const auto [error, size] =
      co_await asio::async_read_until(*stream, asio::dynamic_buffer(line), '\n', asio::as_tuple(asio::use_awaitable));
  if (error) co_return fail(ErrorKind::kUnavailable, "a node process ended before it was ready; it said why above");
  co_return line.substr(0, size);
}

Task<void> closed(int out) {
  Stream stream(co_await asio::this_coro::executor, out);
  std::array<char, 4096> rest{};
  for (boost::system::error_code error; !error;) {
    const auto [code, size] =
        co_await (*stream).async_read_some(asio::buffer(rest), asio::as_tuple(asio::use_awaitable));
    error = code;
  }
}

// False while it runs.
bool reap(pid_t id, int options) {
  pid_t ended = 0;
  while ((ended = ::waitpid(id, nullptr, options)) < 0 && errno == EINTR) {
  }
  return ended != 0;
}

}  // namespace

Result<> NodeProcesses::spawn(Wish wish) {
  std::vector<std::string> arguments{
      "hotswap", "node",    "--control", common_.control, "--node-id", wish.node,          "--region", wish.region,
      "--zone",  wish.zone, "--gateway", wish.gateway,    "--data",    wish.data.string(), "--output", "json"};
  arguments.insert(arguments.end(), common_.more.begin(), common_.more.end());
  HS_TRY(const Started started, cli::spawn(std::move(arguments), common_.join_token));
  ends_[wish.node].last_start = std::chrono::steady_clock::now();
  running_.push_back({.wish = std::move(wish), .id = started.id, .out = started.out});
  return {};
}

Result<> NodeProcesses::start(const std::vector<Wish>& wishes) {
  const std::size_t before = running_.size();
  for (const auto& wish : wishes) HS_CHECK(spawn(wish));
  for (std::size_t i = before; i < running_.size(); ++i) {
    HS_TRY(const std::string line, first_line(running_[i].out));
    HS_TRY(running_[i].gateway, gateway_of(line));
  }
  return {};
}

Task<Result<>> NodeProcesses::add(Wish wish) {
  const std::string node = wish.node;
  HS_CO_CHECK(spawn(std::move(wish)));
  asio::steady_timer patience(co_await asio::this_coro::executor, std::chrono::milliseconds(kReadyTimeoutMs));
  auto said = co_await (next_line(running_.back().out) || patience.async_wait(asio::use_awaitable));
  Result<std::string> gateway = fail(ErrorKind::kDeadline, "a node process is not ready in time");
  if (auto* line = std::get_if<0>(&said)) gateway = *line ? gateway_of(**line) : std::move(*line);
  if (!gateway) {
    std::ignore = co_await end(node);
    co_return std::unexpected(std::move(gateway).error());
  }
  const auto found = std::ranges::find(running_, node, [](const Running& one) { return one.wish.node; });
  if (found != running_.end()) found->gateway = *std::move(gateway);
  co_return Result<>{};
}

Task<Result<>> NodeProcesses::end(std::string node) {
  const auto found = std::ranges::find(running_, node, [](const Running& one) { return one.wish.node; });
  if (found == running_.end()) co_return Result<>{};
  const pid_t id = found->id;
  if (id < 0) {
    forget(node);
    co_return Result<>{};
  }
  found->ending = true;
  ::kill(id, SIGTERM);
  co_await closed(found->out);
  // What closes its output has ended, or will within moments.
  reap(id, 0);
  forget(node);
  co_return Result<>{};
}

void NodeProcesses::forget(const std::string& node) {
  const auto found = std::ranges::find(running_, node, [](const Running& one) { return one.wish.node; });
  if (found == running_.end()) return;
  if (found->out >= 0) ::close(found->out);
  running_.erase(found);
}

const std::vector<NodeProcesses::Running>& NodeProcesses::running() {
  note_ends();
  return running_;
}

// One that is yet to say that it serves is waited for by whoever starts it.
void NodeProcesses::note_ends() {
  for (auto& process : running_) {
    if (process.id < 0 || process.ending || process.gateway.empty() || !reap(process.id, WNOHANG)) continue;
    ::close(std::exchange(process.out, -1));
    process.id = -1;
    ended_by_itself(process.wish.node);
  }
}

void NodeProcesses::ended_by_itself(const std::string& node) {
  const auto now = std::chrono::steady_clock::now();
  Ends& ends = ends_[node];
  ends.in_a_row = now - ends.last_start < kSoon ? ends.in_a_row + 1 : 0;
  const int doublings = std::min(ends.in_a_row, 5);
  ends.due = ends.in_a_row == 0 ? now : now + std::min(kRestartPause * (1 << doublings) / 2, kRestartPauseMost);
  log::warning("node process ended by itself", "",
               {{"nodeId", node},
                {"startedAgainInMs", std::chrono::duration_cast<std::chrono::milliseconds>(ends.due - now).count()}});
}

Task<void> NodeProcesses::keep_running() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    note_ends();
    const auto now = std::chrono::steady_clock::now();
    const auto dead = std::ranges::find_if(
        running_, [&](const Running& process) { return process.id < 0 && ends_[process.wish.node].due <= now; });
    if (dead == running_.end()) {
      timer.expires_after(kLookEvery);
      co_await timer.async_wait(asio::use_awaitable);
      continue;
    }
    Running lost = std::move(*dead);
    running_.erase(dead);
    Wish again = lost.wish;
    again.gateway = lost.gateway.substr(lost.gateway.find("//") + 2);
    if (const auto started = co_await add(std::move(again)); started) {
      log::info("node process started again", "", {{"nodeId", lost.wish.node}});
      continue;
    }
    const std::string node = lost.wish.node;
    running_.push_back(std::move(lost));
    ended_by_itself(node);
  }
}

void NodeProcesses::stop() {
  std::erase_if(running_, [](const Running& process) { return process.id < 0; });
  for (const auto& process : running_) ::kill(process.id, SIGTERM);
  for (const auto& process : std::exchange(running_, {})) {
    reap(process.id, 0);
    ::close(process.out);
  }
}

}  // namespace hotswap::cli
