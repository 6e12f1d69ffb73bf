// Asks every gateway again and again which version answers. "reset" on standard input forgets what was seen; "show"
// prints, for each gateway and version, when it answered first and last. Times are those of Python's time.monotonic().
#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "net/client.h"

namespace hotswap {
namespace {

struct Options {
  std::vector<std::string> gateways;
  std::string module;
  int pause_us = 1'000;
};

double monotonic() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Seen {
  double first = 0;
  double last = 0;
  int answers = 0;
  int failures = 0;
};

// By version; "" where no version answered.
using Gateway = std::map<std::string, Seen>;

Task<void> ask(const Options& options, std::string origin, Gateway& seen) {
  const auto client = *net::Client::create(co_await asio::this_coro::executor, origin);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    net::ClientRequest request;
    request.method = "POST";
    request.target = "/api/v1/wasm/execute";
    request.body = fmt::format(R"({{"module":"{}","function":"add","params":[2,3]}})", options.module);
    const auto reply = co_await client->send(std::move(request));
    const double now = monotonic();
    const auto answer = reply && reply->status == 200 ? parse_json(reply->body) : Result<json::value>(json::object());
    const auto& object = answer->get_object();
    const auto* id = object.if_contains("moduleId");
    Seen& version = seen[id == nullptr ? "" : std::string(id->get_string())];
    if (version.answers++ == 0) version.first = now;
    version.last = now;
    const auto* value = object.if_contains("returnValue");
    if (value == nullptr || *value != 5) ++version.failures;
    timer.expires_after(std::chrono::microseconds(options.pause_us));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

void show(const std::vector<Gateway>& gateways) {
  json::array all;
  for (const auto& gateway : gateways) {
    json::object versions;
    for (const auto& [id, seen] : gateway) {
      versions[id] = {
          {"first", seen.first}, {"last", seen.last}, {"answers", seen.answers}, {"failures", seen.failures}};
    }
    all.push_back(std::move(versions));
  }
  fmt::print("{}\n", json::serialize(all));
  std::fflush(stdout);
}

// Until standard input ends.
Task<void> obey(asio::io_context& io, std::vector<Gateway>& gateways) {
  asio::posix::stream_descriptor in(io, ::dup(STDIN_FILENO));
  std::string text;
  for (;;) {
    const auto [failed, size] =
        co_await asio::async_read_until(in, asio::dynamic_buffer(text), '\n', asio::as_tuple(asio::use_awaitable));
    if (failed) break;
    if (text.substr(0, size - 1) == "reset") {
      for (auto& gateway : gateways) gateway.clear();
    }
    show(gateways);
    text.erase(0, size);
  }
  io.stop();
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Which version answers where");
  app.add_option("--gateway", options.gateways, "URL of each")->required();
  app.add_option("--module", options.module)->required();
  app.add_option("--pause-us", options.pause_us, "Between an answer and the next request");
  CLI11_PARSE(app, argc, argv);
  asio::io_context io{1};
  const auto rethrow = [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  };
  std::vector<Gateway> gateways(options.gateways.size());
  for (std::size_t i = 0; i < gateways.size(); ++i) {
    asio::co_spawn(io, ask(options, options.gateways[i], gateways[i]), rethrow);
  }
  asio::co_spawn(io, obey(io, gateways), rethrow);
  io.run();
  return 0;
}

}  // namespace
}  // namespace hotswap

int main(int argc, char** argv) { return hotswap::run(argc, argv); }
