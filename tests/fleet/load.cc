#include "fleet/load.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/client.h"

namespace hotswap::e2e {
namespace {

// Whether it was answered rightly.
bool count(Load::Tally& tally, const Result<net::ClientResponse>& response) {
  const auto result = response && response->status == 200 ? json::parse(response->body) : json::value();
  if (!result.is_object()) {
    ++tally.failed[""];
    tally.example = response ? std::to_string(response->status) + " " + response->body : response.error().detail;
    return false;
  }
  const std::string version(result.at("moduleId").as_string());
  const bool right = result.at("returnValue") == 5;
  ++(right ? tally.answered : tally.failed)[version];
  return right;
}

Task<void> call(std::string gateway, LoadOptions options, const std::atomic<bool>& stopping, Load::Tally& tally) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto client = *net::Client::create(co_await asio::this_coro::executor, gateway);
  while (!stopping) {
    net::ClientRequest request;
    request.method = "POST";
    request.target = "/api/v1/wasm/execute";
    request.body = R"({"module":"add","function":"add","params":[2,3]})";
    request.timeout = std::chrono::seconds(10);
    if (!count(tally, co_await client->send(std::move(request))) && options.until_failure) co_return;
    if (options.pause.count() == 0) continue;
    timer.expires_after(options.pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

std::vector<std::string> gateways_of(const std::vector<std::unique_ptr<NodeProcess>>& nodes) {
  std::vector<std::string> gateways;
  for (const auto& node : nodes) gateways.push_back(node->gateway());
  return gateways;
}

}  // namespace

Load::Load(const std::vector<std::unique_ptr<NodeProcess>>& nodes, LoadOptions options)
    : Load(gateways_of(nodes), options) {}

Load::Load(std::vector<std::string> gateways, LoadOptions options) : gateways_(std::move(gateways)), options_(options) {
  thread_ = std::thread([this] {
    asio::io_context io{1};
    for (const auto& gateway : gateways_) {
      asio::co_spawn(io, call(gateway, options_, stopping_, tally_), [](const std::exception_ptr& thrown) {
        if (thrown) std::rethrow_exception(thrown);
      });
    }
    io.run();
  });
}

Load::~Load() { std::ignore = stop(); }

Load::Tally Load::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return tally_;
}

}  // namespace hotswap::e2e
