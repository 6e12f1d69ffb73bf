#include "fleet/processes.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <signal.h>

#include <stdexcept>

#include "net/client.h"

namespace hotswap::e2e {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

json::value ready_line(Child& child) {
  const std::string line = child.out_line();
  if (line.empty()) throw std::runtime_error("the process ended: " + child.wait().err);
  return json::parse(line);
}

std::vector<std::string> within(const Place& place) {
  if (place.space.empty()) return {};
  return {"ip", "netns", "exec", place.space};
}

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
  }
  return true;
}

json::value ask(const std::string& origin, const std::string& method, const std::string& target,
                const std::string& body) {
  asio::io_context io{1};
  const auto client = *net::Client::create(io.get_executor(), origin);
  net::ClientRequest request;
  request.method = method;
  request.target = target;
  request.body = body;
  request.timeout = kPatience;
  auto reply = asio::co_spawn(io, client->send(std::move(request)), asio::use_future);
  io.run();
  const auto response = reply.get();
  if (!response || response->body.empty()) return nullptr;
  return json::parse(response->body);
}

ControlProcess::ControlProcess(std::string data, std::vector<std::string> more, Place place)
    : data_(std::move(data)), more_(std::move(more)), place_(std::move(place)), address_(place_.host + ":0") {
  start();
}

void ControlProcess::start() {
  std::vector<std::string> arguments{
      "control", "--data",         data_, "--api",           address_, "--threads",         "1", "--output",
      "json",    "--report-every", "1",   "--suspect-after", "2",      "--unhealthy-after", "4"};
  arguments.insert(arguments.end(), more_.begin(), more_.end());
  child_ = std::make_unique<Child>(arguments, "", within(place_));
  api_ = ready_line(*child_).at("api").as_string();
  address_ = api_.substr(std::string("http://").size());
}

void ControlProcess::kill() {
  child_->send(SIGKILL);
  child_->wait();
}

std::string ControlProcess::hotswap(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"--server", api_});
  const auto ended = run(arguments);
  if (ended.exit_code != 0) {
    throw std::runtime_error(arguments.at(2) + " exited with " + std::to_string(ended.exit_code) + ": " + ended.err);
  }
  return ended.out;
}

std::string ControlProcess::join_token(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments{"node", "token", "create", "--output", "json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return std::string(json::parse(hotswap(arguments)).at("token").as_string());
}

void ControlProcess::release(const std::string& sample_name, const std::string& name,
                             const std::string& version) const {
  hotswap({"module", "push", sample(sample_name), "--name", name, "--version", version});
  hotswap({"deploy", name + "@" + version, "--watch"});
}

json::value ControlProcess::node(const std::string& id) const { return ask(api_, "GET", "/api/v1/wasm/nodes/" + id); }

std::string ControlProcess::condition(const std::string& id) const {
  const auto shown = node(id);
  const auto* object = shown.if_object();
  const auto* condition = object == nullptr ? nullptr : object->if_contains("condition");
  return condition == nullptr ? "" : std::string(condition->as_string());
}

NodeProcess::NodeProcess(std::string data, Wish wish) : data_(std::move(data)), wish_(std::move(wish)) { start(); }

void NodeProcess::start() {
  std::vector<std::string> arguments{
      "node", "--control", wish_.control,           "--node-id", wish_.node, "--region",    wish_.region, "--data",
      data_,  "--gateway", wish_.place.host + ":0", "--threads", "1",        "--instances", "16",         "--output",
      "json"};
  if (!wish_.token.empty()) arguments.insert(arguments.end(), {"--join-token", wish_.token});
  if (!wish_.zone.empty()) arguments.insert(arguments.end(), {"--zone", wish_.zone});
  child_ = std::make_unique<Child>(arguments, "", within(wish_.place));
  gateway_ = ready_line(*child_).at("gateway").as_string();
}

void NodeProcess::kill() {
  child_->send(SIGKILL);
  child_->wait();
}

json::value NodeProcess::add(int a, int b) const {
  const json::object body{{"module", "add"}, {"function", "add"}, {"params", {a, b}}};
  return ask(gateway_, "POST", "/api/v1/wasm/execute", json::serialize(body));
}

}  // namespace hotswap::e2e
