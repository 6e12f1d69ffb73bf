// The bodies of test_console.h; a *_test.cc so that they are part of the test program alone.
#include "cli/test_console.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/limits.h"

namespace hotswap::cli {

FakeServer::FakeServer() {
  net::ServerOptions options;
  options.name = "fake";
  options.listen = *net::parse_endpoint("127.0.0.1:0");
  server_ = *net::Server::start(
      threads_, std::move(options), [this](net::Exchange& exchange) { return answer(exchange); }, tracer_, metrics_);
}

FakeServer::~FakeServer() {
  server_.reset();
  threads_.stop();
}

void FakeServer::on(const std::string& route, Reply reply) {
  const std::lock_guard lock(mutex_);
  replies_[route].push_back(std::move(reply));
}

std::vector<Received> FakeServer::requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

Received FakeServer::request(const std::string& route) {
  Received found;
  int count = 0;
  for (auto& request : requests()) {
    if (request.method + " " + request.target.substr(0, request.target.find('?')) != route) continue;
    found = std::move(request);
    ++count;
  }
  EXPECT_EQ(count, 1) << route;
  return found;
}

Task<void> FakeServer::answer(net::Exchange& exchange) {
  Received received{
      .method = std::string(exchange.method()), .target = std::string(exchange.target()), .headers = {}, .body = {}};
  for (const auto* name : {"content-type", "accept", "last-event-id"}) {
    const auto found = exchange.headers().find(name);
    if (found != exchange.headers().end()) received.headers[name] = std::string(found->value());
  }
  auto body = co_await exchange.read_all(64 * limits::kMiB);
  if (!body) co_return;
  received.body = *std::move(body);
  Reply reply{.status = 404, .body = R"({"title":"Not Found","status":404,"detail":"no such route"})"};
  {
    const std::lock_guard lock(mutex_);
    const auto found = replies_.find(received.method + " " + std::string(exchange.path()));
    if (found != replies_.end()) {
      reply = found->second.front();
      if (found->second.size() > 1) found->second.erase(found->second.begin());
    }
    requests_.push_back(std::move(received));
  }
  std::ignore = co_await exchange.reply(reply.status, reply.content_type, reply.body);
}

CommandTest::CommandTest() {
  std::string pattern = std::filesystem::temp_directory_path().string() + "/hotswap-cli-XXXXXX";
  folder_ = mkdtemp(pattern.data());
  console.environment["HOTSWAP_SERVER"] = server.url();
  console.environment["HOME"] = folder_;
}

CommandTest::~CommandTest() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void CommandTest::write_file(const std::string& name, const std::string& bytes) const {
  std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
  std::ofstream(path(name), std::ios::binary) << bytes;
}

std::string CommandTest::read_file(const std::string& name) const {
  std::ifstream stream(path(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace hotswap::cli
