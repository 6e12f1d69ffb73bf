#include "hostile/attacked_node.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_future.hpp>

#include <stdexcept>

#include "net/client.h"

namespace hotswap::e2e {
namespace {

std::string exchange(const std::string& url, net::ClientRequest request) {
  asio::io_context io;
  auto reply = asio::co_spawn(
      io,
      [](std::string server, net::ClientRequest sent) -> Task<Result<net::ClientResponse>> {
        HS_CO_TRY(const auto client, net::Client::create(co_await asio::this_coro::executor, server));
        co_return co_await client->send(std::move(sent));
      }(url, std::move(request)),
      asio::use_future);
  io.run();
  auto got = reply.get();
  if (!got) throw std::runtime_error(url + ": " + got.error().detail);
  return got->body;
}

std::vector<std::string> arguments(const std::string& data, const std::vector<std::string>& more) {
  std::vector<std::string> words{"up", "--data", data, "--api", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--threads",
                                 "2", "--output", "json",
                                 // The thread sanitizer leaves too little address space for more.
                                 "--instances", "16"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

AttackedNode::AttackedNode(const std::vector<std::string>& more, const std::vector<std::string>& before)
    : child_(arguments(data_.path(), more), {}, before) {
  const std::string line = child_.out_line();
  if (line.empty()) throw std::runtime_error("hotswap up ended: " + child_.wait().err);
  const auto ready = boost::json::parse(line);
  api_ = ready.at("api").as_string();
  gateway_ = ready.at("gateway").as_string();
}

void AttackedNode::release(const std::string& sample_name, const std::string& name,
                           const std::vector<std::string>& limits) {
  std::vector<std::string> push{"--server", api_, "module",    "push", sample(sample_name),
                                "--name",   name, "--version", "1.0.0"};
  push.insert(push.end(), limits.begin(), limits.end());
  for (const auto& words : {push, {"--server", api_, "deploy", name + "@1.0.0", "--watch"}}) {
    if (const auto ended = run(words); ended.exit_code != 0) throw std::runtime_error(words.at(2) + ": " + ended.err);
  }
}

boost::json::value AttackedNode::invoke(const std::string& module, const std::string& function,
                                        const boost::json::array& params) const {
  net::ClientRequest request;
  request.method = "POST";
  request.target = "/api/v1/wasm/execute";
  request.headers = {{"Content-Type", "application/json"}};
  request.body =
      boost::json::serialize(boost::json::object{{"module", module}, {"function", function}, {"params", params}});
  request.timeout = std::chrono::seconds(120);
  const auto reply = boost::json::parse(exchange(gateway_, std::move(request)));
  const auto* success = reply.as_object().if_contains("success");
  if (success == nullptr) throw std::runtime_error("invoke: " + boost::json::serialize(reply));
  if (!success->as_bool()) return boost::json::object{{"failed", reply.at("errorType")}};
  return reply.at("returnValue");
}

std::uint64_t AttackedNode::metric(const std::string& line_start) const {
  const std::string text = exchange(api_, {.target = "/metrics"});
  std::uint64_t sum = 0;
  for (std::size_t at = text.find('\n' + line_start); at != std::string::npos;
       at = text.find('\n' + line_start, at + 1)) {
    const std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    sum += std::stoull(line.substr(line.rfind(' ') + 1));
  }
  return sum;
}

std::uint64_t AttackedNode::refusals(const std::string& kind) const {
  return metric("wasm_refusals_total{kind=\"" + kind + '"');
}

boost::json::object AttackedNode::audit(const std::string& kind) {
  for (;;) {
    const std::string line = child_.err_line();
    if (line.empty()) throw std::runtime_error("the server ended");
    if (line.find(R"("kind":"audit","outcome":"Denied")") == std::string::npos) continue;
    const auto entry = boost::json::parse(line).as_object();
    if (entry.at("limit").as_string() == kind) return entry;
  }
}

std::string AttackedNode::authority() const { return gateway_.substr(gateway_.find("//") + 2); }

std::string AttackedNode::files(const std::string& module) const { return data_.path() + "/files/default/" + module; }

}  // namespace hotswap::e2e
