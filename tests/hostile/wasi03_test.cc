// The same over WASI 0.3 (samples/hostile-p3), where it has functions of its own for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "hostile/attacked_node.h"
#include "hostile/servers.h"

namespace hotswap::e2e {
namespace {

using boost::json::object;
using boost::json::value;

value err(const char* name) { return object{{"err", name}}; }

class HostileWasi03Test : public testing::Test {
 protected:
  void expect_refusals(const std::string& kind, std::uint64_t count) {
    EXPECT_EQ(node_.refusals(kind), count) << kind;
    EXPECT_EQ(node_.audit(kind).at("moduleId"), "p3-v1.0.0");
  }

  WebServer web_;
  AttackedNode node_{{"--wasi03"}};
};

TEST_F(HostileWasi03Test, OnlyListedHostsAreReached) {
  node_.release("hostile-p3", "p3", {"--allow", web_.at("127.0.0.1")});
  EXPECT_EQ(node_.invoke("p3", "fetch", {false, web_.at("127.0.0.1"), "/"}), value(object{{"ok", 200}}));
  EXPECT_EQ(node_.invoke("p3", "fetch", {false, web_.at("localhost"), "/"}), err("HTTP-request-denied"));
  EXPECT_EQ(node_.invoke("p3", "look-up", {"example.com"}), err("access-denied"));
  expect_refusals("Host", 2);
  EXPECT_EQ(web_.seen(), 1);
}

TEST_F(HostileWasi03Test, SpecialAddressesAreNotReachedByWhoeverMayReachAll) {
  node_.release("hostile-p3", "p3", {"--network"});
  EXPECT_EQ(node_.invoke("p3", "fetch", {false, web_.at("127.0.0.1"), "/"}), err("destination-IP-prohibited"));
  EXPECT_EQ(node_.invoke("p3", "fetch", {true, "169.254.169.254", "/"}), err("destination-IP-prohibited"));
  expect_refusals("Address", 2);
  EXPECT_EQ(web_.seen(), 0);
}

TEST_F(HostileWasi03Test, AFolderTakesNoMoreThanItMay) {
  node_.release("hostile-p3", "p3", {"--dir", "/data:rw", "--disk", "1", "--files", "20"});
  EXPECT_EQ(node_.invoke("p3", "fill", {0, 512}), value(object{{"ok", nullptr}}));
  EXPECT_EQ(node_.invoke("p3", "fill", {1, 2048}), err("insufficient-space"));
  EXPECT_LE(std::filesystem::file_size(node_.files("p3") + "/data/fill1"), 512 << 10);
  EXPECT_EQ(node_.invoke("p3", "make", {100}), err("insufficient-space"));
  // The two files and the folder are three of the twenty.
  EXPECT_TRUE(std::filesystem::exists(node_.files("p3") + "/data/e16"));
  EXPECT_FALSE(std::filesystem::exists(node_.files("p3") + "/data/e17"));
  expect_refusals("Quota", 2);
}

TEST_F(HostileWasi03Test, NoPathLeadsOutOfTheFolder) {
  node_.release("hostile-p3", "p3", {"--dir", "/data:rw"});
  EXPECT_EQ(node_.invoke("p3", "open", {"../../../../../../../../etc/passwd"}), err("not-permitted"));
  EXPECT_EQ(node_.invoke("p3", "open", {"/etc/passwd"}), err("not-permitted"));
  expect_refusals("Path", 2);
}

}  // namespace
}  // namespace hotswap::e2e
