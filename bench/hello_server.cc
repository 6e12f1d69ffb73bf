// F of the benchmark: a fixed reply on the product's own HTTP server, the ceiling that every other line is held
// against.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "base/trace.h"
#include "net/server.h"

int main() {
  using namespace hotswap;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const SystemClock clock;
  SystemRandom random;
  Tracer tracer(clock, random);
  Metrics metrics;
  net::IoThreads threads(1);
  auto server = net::Server::start(
      threads, {.name = "hello", .listen = *net::parse_endpoint("127.0.0.1:0")},
      [](net::Exchange& exchange) -> Task<void> {
        (void)co_await exchange.reply(200, "text/plain", "Hello, world!\n");
      },
      tracer, metrics);
  if (!server) {
    fmt::print(stderr, "{}\n", server.error().detail);
    return 1;
  }
  fmt::print("{}\n", (*server)->url());
  std::fflush(stdout);
  int received = 0;
  sigwait(&signals, &received);
  threads.stop();
  return 0;
}
