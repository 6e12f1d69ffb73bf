// Output without end, and what a guest can learn of its host.
#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>

#include <cstdlib>

#include "attack.h"

namespace hotswap::hostile {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(AttackTest, OutputWithoutEndEndsTheCall) {
  deploy("hostile-preview1");
  (void)expect_ended("hostile-preview1", "flood", "[1]", "OutputTooLarge", "output");
  (void)expect_ended("hostile-preview1", "flood", "[2]", "OutputTooLarge", "output");
  deploy("hostile-component");
  (void)expect_ended("hostile-component", "write-at-once", "[60000000]", "OutputTooLarge", "output");
}

// Its client reads as much as it likes; what it does not read, nobody keeps.
TEST_F(AttackTest, AnAnswerWithoutEndLastsAsLongAsItsClient) {
  deploy("hostile-component");
  const std::string cancelled = R"(wasm_guest_failures_total{kind="Cancelled",node="local"})";
  {
    asio::io_context io;
    asio::ip::tcp::socket client(io);
    const std::string port = server_.gateway().substr(server_.gateway().rfind(':') + 1);
    client.connect({asio::ip::make_address("127.0.0.1"), static_cast<unsigned short>(std::stoi(port))});
    asio::write(client, asio::buffer(std::string("GET /m/hostile-component/endless HTTP/1.1\r\nhost: a\r\n\r\n")));
    std::string got(8 << 20, '\0');
    asio::read(client, asio::buffer(got));
    EXPECT_THAT(got.substr(0, 15), HasSubstr("200"));
    expect_neighbour_served(20);
  }
  while (server_.metric(cancelled) == 0) expect_neighbour_served(1);
}

TEST_F(AttackTest, AnAnswerThatNeverComesIsATimeoutWithItsStatus) {
  deploy("hostile-component", {"--timeout", "1"});
  const auto reply = Browser(server_.gateway()).get("/m/hostile-component/spin");
  EXPECT_EQ(reply.status, 504U) << reply.body;
  const std::string trace_id(json::parse(reply.body).at("traceId").as_string());
  expect_audited(trace_id, "hostile-component", "Timeout", "maxExecutionTimeSeconds");
  EXPECT_EQ(server_.audit_entry(trace_id).at("route"), "/m/hostile-component/");
  expect_neighbour_served();
}

TEST_F(AttackTest, HeadersOfAnAnswerHaveABound) {
  deploy("hostile-component");
  const auto reply = Browser(server_.gateway()).get("/m/hostile-component/headers");
  EXPECT_EQ(reply.status, 502U) << reply.body;
  const std::string trace_id(json::parse(reply.body).at("traceId").as_string());
  expect_audited(trace_id, "hostile-component", "Trap", "fields");
  expect_neighbour_served();
}

// The server that the guest runs in was started with a secret, as servers are.
class EnvironmentTest : public AttackTest {
 protected:
  // Before the server starts, which takes it over.
  static void SetUpTestSuite() { ::setenv("HOSTILE_TEST_SECRET", "do not tell", 1); }
  static void TearDownTestSuite() { ::unsetenv("HOSTILE_TEST_SECRET"); }
};

TEST_F(EnvironmentTest, AGuestSeesWhatItWasGrantedAndNoMore) {
  deploy("hostile-component", {"--env", "COLOR=blue"});
  const auto seen = expect_answered("hostile-component", "environment");
  EXPECT_EQ(seen, json::parse(R"([["COLOR","blue"]])"));
  EXPECT_EQ(expect_answered("hostile-component", "directories"), json::array());

  deploy("hostile-preview1", {"--env", "COLOR=blue"});
  const auto reply = execute("hostile-preview1", "environment");
  EXPECT_EQ(reply.body.at("returnValue"), 1);
  EXPECT_EQ(reply.body.at("stdout"), "COLOR=blue");
  EXPECT_EQ(expect_answered("hostile-preview1", "descriptors"), 0);
}

TEST_F(EnvironmentTest, AGuestThatWasGrantedNothingSeesNothing) {
  deploy("hostile-component");
  EXPECT_EQ(expect_answered("hostile-component", "environment"), json::array());
  deploy("hostile-preview1");
  EXPECT_EQ(expect_answered("hostile-preview1", "environment"), 0);
}

}  // namespace
}  // namespace hotswap::hostile
