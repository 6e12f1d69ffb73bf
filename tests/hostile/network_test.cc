// Guests that reach for what they may not reach (samples/hostile-net).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostile/attacked_node.h"
#include "hostile/servers.h"

namespace hotswap::e2e {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;
using testing::HasSubstr;
using testing::StartsWith;

value err(const char* name) { return object{{"err", name}}; }

std::string text(const value& result) {
  const auto* answer = result.is_object() ? result.as_object().if_contains("ok") : nullptr;
  return answer != nullptr && answer->is_string() ? std::string(answer->as_string()) : boost::json::serialize(result);
}

value ipv4(int a, int b, int c, int d, int port) {
  return object{{"ipv4", object{{"port", port}, {"address", array{a, b, c, d}}}}};
}

value loopback6(int port) {
  return object{
      {"ipv6", object{{"port", port}, {"flow-info", 0}, {"address", array{0, 0, 0, 0, 0, 0, 0, 1}}, {"scope-id", 0}}}};
}

class HostileNetworkTest : public testing::Test {
 protected:
  value fetch(const AttackedNode& node, bool https, const std::string& authority, const std::string& path = "/",
              std::int64_t body = 0, std::int64_t times = 1) {
    return node.invoke("net", "fetch", {https, authority, path, body, times});
  }

  // A refusal of that kind was counted and written down, with that in its words.
  void expect_refusal(AttackedNode& node, const std::string& kind, const std::string& words, std::uint64_t count = 1) {
    EXPECT_EQ(node.refusals(kind), count) << kind;
    const auto entry = node.audit(kind);
    EXPECT_THAT(std::string(entry.at("error").as_string()), HasSubstr(words));
    EXPECT_EQ(entry.at("moduleId"), "net-v1.0.0");
    EXPECT_EQ(entry.at("tenant"), "default");
  }

  WebServer web_;
};

TEST_F(HostileNetworkTest, OnlyListedHostsAreReached) {
  AttackedNode node;
  node.release("hostile-net", "net", {"--allow", web_.at("127.0.0.1")});
  EXPECT_THAT(text(fetch(node, false, web_.at("127.0.0.1"))), StartsWith("200 "));
  EXPECT_EQ(fetch(node, false, web_.at("localhost")), err("HTTP-request-denied"));
  expect_refusal(node, "Host", web_.at("localhost"));
  EXPECT_EQ(fetch(node, false, "127.0.0.1:1"), err("HTTP-request-denied"));
  EXPECT_EQ(fetch(node, false, "127.0.0.1:" + std::to_string(web_.port()) + "@example.com"),
            err("HTTP-request-URI-invalid"));
  EXPECT_EQ(web_.seen(), 1);
}

TEST_F(HostileNetworkTest, NothingIsReachedWithoutAGrant) {
  AttackedNode node;
  node.release("hostile-net", "net", {});
  EXPECT_EQ(fetch(node, false, web_.at("127.0.0.1")), err("HTTP-request-denied"));
  expect_refusal(node, "Host", web_.at("127.0.0.1"));
  EXPECT_EQ(node.invoke("net", "connect", {ipv4(127, 0, 0, 1, web_.port())}), err("access-denied"));
  EXPECT_EQ(node.invoke("net", "look-up", {"localhost"}), err("access-denied"));
  EXPECT_EQ(web_.seen(), 0);
}

TEST_F(HostileNetworkTest, SpecialAddressesAreNotReachedByWhoeverMayReachAll) {
  AttackedNode node;
  node.release("hostile-net", "net", {"--network"});
  const std::vector<std::string> hosts{
      "127.0.0.1",       "localhost",       "127.1",       "2130706433",        "0.0.0.0",         "169.254.169.254",
      "100.100.100.200", "10.0.0.1",        "192.168.1.1", "172.16.0.1",        "[::1]",           "[::ffff:127.0.0.1]",
      "[fe80::1]",       "[fd00:ec2::254]", "[::]",        "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1"};
  for (const auto& host : hosts) {
    EXPECT_EQ(fetch(node, false, web_.at(host)), err("destination-IP-prohibited")) << host;
  }
  expect_refusal(node, "Address", "127.0.0.1", hosts.size());
  EXPECT_EQ(web_.seen(), 0);
}

TEST_F(HostileNetworkTest, AnAddressIsReachedByANameThatIsListedAsItself) {
  AttackedNode node;
  node.release("hostile-net", "net", {"--allow", web_.at("localhost")});
  EXPECT_THAT(text(fetch(node, false, web_.at("localhost"))), StartsWith("200 "));
}

TEST_F(HostileNetworkTest, ARedirectIsTheGuestsOwnAndLeadsNoFurther) {
  AttackedNode node;
  node.release("hostile-net", "net", {"--allow", web_.at("127.0.0.1")});
  const std::string elsewhere = "http://" + web_.at("localhost") + "/secret";
  EXPECT_EQ(text(fetch(node, false, web_.at("127.0.0.1"), "/redirect?" + elsewhere)), "302 0 ");
  EXPECT_EQ(web_.seen(), 1);
  EXPECT_EQ(fetch(node, false, web_.at("localhost"), "/secret"), err("HTTP-request-denied"));
  expect_refusal(node, "Host", "localhost");
  EXPECT_EQ(web_.seen(), 1);
}

TEST_F(HostileNetworkTest, AServerHasToProveWhoItIs) {
  const TlsServer server("localhost");
  const std::string authority = "localhost:" + std::to_string(server.port());
  const std::string other = "127.0.0.1:" + std::to_string(server.port());
  {
    AttackedNode node;
    node.release("hostile-net", "net", {"--allow", authority});
    EXPECT_EQ(fetch(node, true, authority), err("TLS-certificate-error"));
    expect_refusal(node, "Certificate", authority);
  }
  AttackedNode node({"--outbound-ca", server.authority_file()});
  node.release("hostile-net", "net", {"--allow", authority, "--allow", other});
  EXPECT_THAT(text(fetch(node, true, authority)), StartsWith("200 "));
  // Its certificate is for another name.
  EXPECT_EQ(fetch(node, true, other), err("TLS-certificate-error"));
  expect_refusal(node, "Certificate", other);
}

TEST_F(HostileNetworkTest, ACallHasSoManyRequests) {
  AttackedNode node;
  node.release("hostile-net", "net", {"--allow", "127.0.0.1", "--requests", "3"});
  EXPECT_THAT(text(fetch(node, false, web_.at("127.0.0.1"), "/", 0, 3)), StartsWith("200 "));
  EXPECT_EQ(fetch(node, false, web_.at("127.0.0.1"), "/", 0, 4), err("connection-limit-reached"));
  expect_refusal(node, "Requests", "of 3 requests");
  EXPECT_EQ(web_.seen(), 6);
}

TEST_F(HostileNetworkTest, ACallReceivesAndSendsSoManyBytes) {
  constexpr std::int64_t kTooMuch = 2 << 20;
  AttackedNode node;
  node.release("hostile-net", "net", {"--allow", "127.0.0.1", "--traffic", "1"});
  const auto received = fetch(node, false, web_.at("127.0.0.1"), "/huge?" + std::to_string(kTooMuch));
  EXPECT_EQ(received, value(object{{"err", object{{"HTTP-response-body-size", 1 << 20}}}}));
  expect_refusal(node, "Bytes", "received");
  const auto sent = fetch(node, false, web_.at("127.0.0.1"), "/take", kTooMuch);
  EXPECT_EQ(sent, value(object{{"err", object{{"HTTP-request-body-size", 1 << 20}}}}));
  expect_refusal(node, "Bytes", "sent", 2);
}

TEST_F(HostileNetworkTest, ABodyThatStopsEndsWithATimeout) {
  AttackedNode node;
  node.release("hostile-net", "net", {"--allow", "127.0.0.1", "--timeout", "120"});
  EXPECT_EQ(fetch(node, false, web_.at("127.0.0.1"), "/slow"), err("connection-read-timeout"));
  expect_refusal(node, "Time", "no more bytes in time");
}

TEST_F(HostileNetworkTest, AFunctionThatCallsItselfComesToAnEnd) {
  constexpr std::uint64_t kDepth = 8;  // limits::kOutboundDepth
  AttackedNode node;
  node.release("hostile-net", "net", {"--allow", node.authority()});
  EXPECT_EQ(node.invoke("net", "recurse", {node.authority(), "net"}), err("loop-detected"));
  EXPECT_EQ(node.metric("wasm_functions_invoked_total"), kDepth + 1);
  expect_refusal(node, "Recursion", "8 calls");
}

TEST_F(HostileNetworkTest, WhereARequestHasBeenIsNotTheGuestsToSay) {
  AttackedNode node;
  node.release("hostile-net", "net", {"--allow", "127.0.0.1"});
  for (const std::string name : {"CDN-Loop", "cdn-loop", "X-HotSwap-Forwarded", "Host"}) {
    EXPECT_EQ(node.invoke("net", "forge", {web_.at("127.0.0.1"), "/", name, "x"}),
              value(object{{"err", object{{"HTTP-request-header-size", nullptr}}}}))
        << name;
  }
  EXPECT_EQ(web_.seen(), 0);
  const auto seen = text(node.invoke("net", "forge", {web_.at("127.0.0.1"), "/", "x-own", "mine"}));
  EXPECT_THAT(seen, HasSubstr("x-own: mine"));
  EXPECT_THAT(seen, HasSubstr("cdn-loop: hotswap\r\n"));
}

TEST_F(HostileNetworkTest, SocketsReachNoMoreThanRequests) {
  AttackedNode node;
  node.release("hostile-net", "net", {"--network"});
  EXPECT_EQ(node.invoke("net", "connect", {ipv4(127, 0, 0, 1, web_.port())}), err("access-denied"));
  EXPECT_EQ(node.invoke("net", "connect", {loopback6(web_.port())}), err("access-denied"));
  EXPECT_EQ(node.invoke("net", "connect", {ipv4(169, 254, 169, 254, 80)}), err("access-denied"));
  EXPECT_EQ(node.invoke("net", "send", {ipv4(127, 0, 0, 1, web_.port())}), err("access-denied"));
  expect_refusal(node, "Address", "loopback", 4);
  EXPECT_EQ(node.invoke("net", "listen", {ipv4(127, 0, 0, 1, 0)}), err("access-denied"));
  EXPECT_EQ(web_.seen(), 0);
}

TEST_F(HostileNetworkTest, SocketsReachWhatIsListed) {
  AttackedNode node;
  node.release("hostile-net", "net", {"--allow", web_.at("localhost")});
  EXPECT_EQ(node.invoke("net", "connect", {ipv4(127, 0, 0, 1, web_.port())}), value(object{{"ok", nullptr}}));
  EXPECT_EQ(node.invoke("net", "connect", {ipv4(127, 0, 0, 1, 1)}), err("access-denied"));
  EXPECT_EQ(node.invoke("net", "look-up", {"example.com"}), err("access-denied"));
  EXPECT_EQ(node.refusals("Host"), 1);
  EXPECT_THAT(std::string(node.audit("Host").at("error").as_string()), HasSubstr("example.com"));
}

// Names at 198.51.100.0/24, a net that is for documentation: nobody answers there.
TEST_F(HostileNetworkTest, ANameThatChangesItsAddressIsHeldToTheOneThatWasChecked) {
  if (const auto why = NameServer::why_not(); !why.empty()) GTEST_SKIP() << why;
  const NameServer names({{"turns.test", {"198.51.100.1", "127.0.0.1"}},
                          {"inner.test", {"127.0.0.1"}},
                          {"mixed.test", {"198.51.100.1 127.0.0.1"}}});
  AttackedNode node({}, names.before());
  node.release("hostile-net", "net", {"--allow", "*.test", "--timeout", "120"});
  // Whoever asks twice, once to check and once to connect, is led to this machine.
  const auto first = fetch(node, false, web_.at("turns.test"));
  EXPECT_THAT(boost::json::serialize(first), HasSubstr("connection-"));
  EXPECT_EQ(names.asked("turns.test"), 1);
  EXPECT_EQ(fetch(node, false, web_.at("turns.test")), err("destination-IP-prohibited"));
  EXPECT_EQ(fetch(node, false, web_.at("inner.test")), err("destination-IP-prohibited"));
  EXPECT_EQ(fetch(node, false, web_.at("mixed.test")), err("destination-IP-prohibited"));
  expect_refusal(node, "Address", "turns.test", 3);
  EXPECT_EQ(web_.seen(), 0);
}

}  // namespace
}  // namespace hotswap::e2e
