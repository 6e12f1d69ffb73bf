#include "fleet/load.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "net/client.h"

namespace hotswap::e2e {
namespace {

void count(Load::Tally& tally, const Result<net::ClientResponse>& response) {
  const auto result = response && response->status == 200 ? json::parse(response->body) : json::value();
  if (!result.is_object()) {
    ++tally.failed[""];
    tally.example = response ? std::to_string(response->status) + " " + response->body : response.error().detail;
    return;
  }
  const std::string version(result.at("moduleId").as_string());
  ++(result.at("returnValue") == 5 ? tally.answered : tally.failed)[version];
}

Task<void> call(std::string gateway, const std::atomic<bool>& stopping, Load::Tally& tally) {
  const auto client = *net::Client::create(co_await asio::this_coro::executor, gateway);
  while (!stopping) {
    net::ClientRequest request;
    request.method = "POST";
    request.target = "/api/v1/wasm/execute";
    request.body = R"({"module":"add","function":"add","params":[2,3]})";
    request.timeout = std::chrono::seconds(10);
    count(tally, co_await client->send(std::move(request)));
  }
}

}  // namespace

Load::Load(const std::vector<std::unique_ptr<NodeProcess>>& nodes) {
  for (const auto& node : nodes) gateways_.push_back(node->gateway());
  start();
}

Load::Load(std::vector<std::string> origins) : gateways_(std::move(origins)) { start(); }

void Load::start() {
  thread_ = std::thread([this] {
    asio::io_context io{1};
    for (const auto& gateway : gateways_) {
      asio::co_spawn(io, call(gateway, stopping_, tally_), [](const std::exception_ptr& thrown) {
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
