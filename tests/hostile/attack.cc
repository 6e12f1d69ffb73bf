#include "attack.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace hotswap::hostile {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;
constexpr auto kAnswerPatience = 120s;  // longer than any call may take

std::string text(const json::object& entry, const char* name) {
  const auto* value = entry.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

}  // namespace

Browser::Browser(const std::string& origin) : client_(*net::Client::create(io_.get_executor(), origin)) {}

net::ClientResponse Browser::send(net::ClientRequest request) {
  request.timeout = kAnswerPatience;
  auto future = asio::co_spawn(io_, client_->send(std::move(request)), asio::use_future);
  io_.restart();
  io_.run();
  auto result = future.get();
  if (!result) throw std::runtime_error(result.error().detail);
  return std::move(*result);
}

AttackedServer::AttackedServer(const std::string& data)
    : child_({"up", "--data", data, "--api", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--threads", "1",
              // The thread sanitizer leaves too little address space for more.
              "--instances", "16", "--output", "json"}) {
  const std::string line = child_.out_line();
  if (line.empty()) throw std::runtime_error("hotswap up ended: " + child_.wait().err);
  const auto ready = json::parse(line);
  api_ = ready.at("api").as_string();
  gateway_ = ready.at("gateway").as_string();
  reader_ = std::thread([this] { read_log(); });
}

AttackedServer::~AttackedServer() {
  child_.send(SIGKILL);
  reader_.join();
}

void AttackedServer::read_log() {
  for (;;) {
    std::string line;
    try {
      line = child_.err_line();
    } catch (const std::runtime_error&) {
      continue;  // two minutes of silence
    }
    if (line.empty()) return;
    boost::system::error_code error;
    const auto value = json::parse(line, error);
    if (error || !value.is_object() || text(value.as_object(), "kind") != "audit") continue;
    const std::lock_guard lock(mutex_);
    entries_.push_back(value.as_object());
    came_.notify_all();
  }
}

void AttackedServer::hotswap(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"--server", api_});
  const auto ended = e2e::run(arguments);
  if (ended.exit_code != 0) throw std::runtime_error(arguments.at(2) + ": " + ended.err);
}

json::object AttackedServer::audit_entry(const std::string& trace_id) {
  std::unique_lock lock(mutex_);
  const json::object* found = nullptr;
  const bool came = came_.wait_for(lock, kPatience, [&] {
    for (const auto& entry : entries_) {
      if (text(entry, "traceId") == trace_id) found = &entry;
    }
    return found != nullptr;
  });
  if (!came) throw std::runtime_error("there is no audit entry of request " + trace_id);
  return *found;
}

std::vector<json::object> AttackedServer::audit_entries() {
  const std::lock_guard lock(mutex_);
  return entries_;
}

double AttackedServer::metric(const std::string& line) const {
  const std::string all = "\n" + Browser(api_).get("/metrics").body;
  const auto at = all.find("\n" + line + " ");
  return at == std::string::npos ? 0 : std::stod(all.substr(at + line.size() + 2));
}

Neighbour::Neighbour(std::string gateway) : gateway_(std::move(gateway)), thread_([this] { call(); }) {}

Neighbour::~Neighbour() {
  ending_ = true;
  thread_.join();
}

void Neighbour::call() {
  Browser browser(gateway_);
  while (!ending_) {
    try {
      const auto reply = browser.send({.method = "POST",
                                       .target = "/api/v1/wasm/execute",
                                       .body = R"({"module":"c-add","function":"add","params":[2,3]})"});
      if (reply.status != 200 || json::parse(reply.body).at("returnValue") != 5) ++wrong_;
    } catch (const std::exception&) {
      ++wrong_;
    }
    ++answered_;
    answered_.notify_all();
  }
}

void Neighbour::await_answers(int more) {
  const int enough = answered_ + more;
  for (int now = answered_; now < enough; now = answered_) answered_.wait(now);
}

AttackTest::AttackTest() {
  deploy("c-add");
  neighbour_ = std::make_unique<Neighbour>(server_.gateway());
}

void AttackTest::deploy(const std::string& sample, std::vector<std::string> options) {
  std::vector<std::string> push{"module", "push", e2e::sample(sample), "--name", sample, "--version", "1.0.0"};
  // Where a test is not about time, a busy machine may take its own.
  if (std::ranges::find(options, "--timeout") == options.end()) options.insert(options.end(), {"--timeout", "100"});
  push.insert(push.end(), options.begin(), options.end());
  server_.hotswap(push);
  server_.hotswap({"deploy", sample + "@1.0.0", "--watch"});
}

AttackTest::Reply AttackTest::execute(const std::string& sample, const std::string& function,
                                      const std::string& params) {
  const auto reply =
      Browser(server_.gateway())
          .send({.method = "POST",
                 .target = "/api/v1/wasm/execute",
                 .body = R"({"module":")" + sample + R"(","function":")" + function + R"(","params":)" + params + "}"});
  return {reply.status, json::parse(reply.body).as_object()};
}

void AttackTest::expect_audited(const std::string& trace_id, const std::string& sample, const std::string& outcome,
                                const std::string& limit) {
  const auto entry = server_.audit_entry(trace_id);
  EXPECT_EQ(text(entry, "outcome"), outcome) << json::serialize(entry);
  EXPECT_EQ(text(entry, "limit"), limit) << json::serialize(entry);
  EXPECT_EQ(text(entry, "tenant"), "default");
  EXPECT_EQ(text(entry, "module"), sample);
  EXPECT_EQ(text(entry, "moduleId"), sample + "-v1.0.0");
  EXPECT_EQ(text(entry, "digest").size(), 64U);
  EXPECT_FALSE(text(entry, "route").empty());
}

json::object AttackTest::expect_ended(const std::string& sample, const std::string& function, const std::string& params,
                                      const std::string& outcome, const std::string& limit) {
  const std::string counter = R"(wasm_guest_failures_total{kind=")" + outcome + R"(",node="local"})";
  const double before = server_.metric(counter);
  auto reply = execute(sample, function, params);
  EXPECT_EQ(reply.status, 200U) << json::serialize(reply.body);
  EXPECT_EQ(text(reply.body, "errorType"), outcome) << function << ": " << json::serialize(reply.body).substr(0, 1000);
  EXPECT_EQ(server_.metric(counter), before + 1);
  if (text(reply.body, "errorType") == outcome) {
    expect_audited(text(reply.body, "traceId"), sample, outcome, limit);
  }
  expect_neighbour_served();
  return reply.body;
}

json::value AttackTest::expect_answered(const std::string& sample, const std::string& function,
                                        const std::string& params) {
  const auto reply = execute(sample, function, params);
  EXPECT_EQ(reply.status, 200U) << json::serialize(reply.body);
  expect_neighbour_served();
  const auto* success = reply.body.if_contains("success");
  EXPECT_TRUE(success != nullptr && *success == json::value(true)) << function << ": " << json::serialize(reply.body);
  const auto* value = reply.body.if_contains("returnValue");
  return value == nullptr ? json::value() : *value;
}

void AttackTest::expect_neighbour_served(int answers) {
  neighbour_->await_answers(answers);
  EXPECT_EQ(neighbour_->wrong(), 0);
}

}  // namespace hotswap::hostile
