// A server on one I/O thread, a guest that attacks it, and a neighbour on the same thread that must not notice.
#pragma once

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "e2e/child.h"
#include "net/client.h"

namespace hotswap::hostile {

namespace json = boost::json;

// One client on a context of its own. One thread.
class Browser {
 public:
  explicit Browser(const std::string& origin);
  net::ClientResponse send(net::ClientRequest request);
  net::ClientResponse get(const std::string& target) { return send({.target = target}); }

 private:
  asio::io_context io_{1};
  std::unique_ptr<net::Client> client_;
};

// `hotswap up`, whose log is read all the time: a pipe that nobody reads would hold it up.
class AttackedServer {
 public:
  explicit AttackedServer(const std::string& data);
  ~AttackedServer();
  AttackedServer(const AttackedServer&) = delete;
  AttackedServer& operator=(const AttackedServer&) = delete;

  [[nodiscard]] const std::string& api() const noexcept { return api_; }
  [[nodiscard]] const std::string& gateway() const noexcept { return gateway_; }
  // A command line against this server that must succeed.
  void hotswap(std::vector<std::string> arguments) const;
  // The audit entry of that request; throws where none comes within a minute.
  json::object audit_entry(const std::string& trace_id);
  // All that came so far.
  std::vector<json::object> audit_entries();
  // The value of a line of /metrics, such as `wasm_guest_failures_total{kind="Trap",node="local"}`; 0 where it is
  // absent.
  double metric(const std::string& line) const;

 private:
  void read_log();

  e2e::Child child_;
  std::string api_;
  std::string gateway_;
  std::mutex mutex_;  // the reader writes, the test reads
  std::condition_variable came_;
  std::vector<json::object> entries_;
  std::thread reader_;
};

// Calls add(2, 3) over and over until it is destroyed.
class Neighbour {
 public:
  explicit Neighbour(std::string gateway);
  ~Neighbour();
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;
  // Waits until it was answered `more` times again.
  void await_answers(int more);
  [[nodiscard]] int wrong() const noexcept { return wrong_; }

 private:
  void call();

  std::string gateway_;
  std::atomic<bool> ending_{false};
  std::atomic<int> answered_{0};
  std::atomic<int> wrong_{0};
  std::thread thread_;
};

class AttackTest : public testing::Test {
 protected:
  AttackTest();

  // Registers and deploys samples/out/`sample`.wasm as `sample`, with options of `module push`.
  void deploy(const std::string& sample, std::vector<std::string> options = {});

  struct Reply {
    unsigned status = 0;
    json::object body;
  };
  // One call as a client makes it; `params` is JSON text.
  [[nodiscard]] Reply execute(const std::string& sample, const std::string& function, const std::string& params = "[]");
  // The same, while the neighbour is served: it ends with `outcome`, is counted, and is in the audit with `limit`
  // (empty: none). The reply's body.
  json::object expect_ended(const std::string& sample, const std::string& function, const std::string& params,
                            const std::string& outcome, const std::string& limit);
  // The entry of a request has all that it must say.
  void expect_audited(const std::string& trace_id, const std::string& sample, const std::string& outcome,
                      const std::string& limit);
  // A call that must succeed, while the neighbour is served; its result.
  json::value expect_answered(const std::string& sample, const std::string& function, const std::string& params = "[]");
  void expect_neighbour_served(int answers = 3);

  e2e::Folder data_;
  AttackedServer server_{data_.path()};
  std::unique_ptr<Neighbour> neighbour_;
};

}  // namespace hotswap::hostile
