#include "node/route_table.h"

#include <gtest/gtest.h>

#include "node/test_workload.h"

namespace hotswap::node {
namespace {

const TenantId kTenant("default");

class RouteTableTest : public testing::Test {
 protected:
  std::shared_ptr<ReadyVersion> ready(const std::string& name, int major, bool http = true) {
    const auto version = desired_version(name, major);
    auto made = std::make_shared<ReadyVersion>(version.tenant, version.moduleId,
                                               std::make_shared<TestWorkload>(version.moduleId.str(), http));
    ready_.push_back(made);
    return made;
  }
  std::shared_ptr<const RouteTable> build() { return RouteTable::build(desired_, ready_, NodeId("n1")); }

  DesiredState desired_;
  ReadyVersions ready_;
};

TEST_F(RouteTableTest, FindsAVersionByNameAndById) {
  const auto version = ready("add", 1);
  desired_.routes = {route_to("add", {{version->id, 100}})};
  const auto table = build();
  EXPECT_EQ(table->by_name(kTenant, "add", 7), version.get());
  EXPECT_EQ(table->by_id(kTenant, "add-v1.0.0"), version.get());
  EXPECT_EQ(table->by_name(kTenant, "sub", 0), nullptr);
  EXPECT_EQ(table->by_id(kTenant, "add-v2.0.0"), nullptr);
}

TEST_F(RouteTableTest, FindsWhoServesWhatItDoesNot) {
  const auto version = ready("shop", 1);
  desired_.routes = {route_to("shop", {{version->id, 100}})};
  desired_.routes[0].http = {std::nullopt, "/shop/"};
  const std::vector<Peer> peers{{NodeId("n2"), "http://n2:80"}};
  desired_.remotes = {RemoteRoute{kTenant, "cart", peers, {ModuleId("cart-v1.0.0")}, {{std::nullopt, "/shop/cart/"}}},
                      RemoteRoute{kTenant, "api", peers, {}, {{"Api.Example", "/"}}}};
  const auto table = build();
  EXPECT_EQ(*table->remote(kTenant, "cart"), peers);
  EXPECT_EQ(*table->remote_version(kTenant, "cart-v1.0.0"), peers);
  EXPECT_EQ(table->remote_version(kTenant, "cart-v2.0.0"), nullptr);
  EXPECT_EQ(table->remote_version(TenantId("other"), "cart-v1.0.0"), nullptr);
  // By the same rule as its own: the longest prefix, a host before any host.
  EXPECT_EQ(*table->by_http("any", "/shop/cart/7", 0).peers, peers);
  EXPECT_EQ(table->by_http("any", "/shop/cartoon", 0).version, version.get());
  EXPECT_EQ(table->by_http("any", "/shop/cartoon", 0).peers, nullptr);
  EXPECT_EQ(*table->by_http("api.example:80", "/shop/", 0).peers, peers);
  EXPECT_EQ(table->by_http("any", "/", 0).peers, nullptr);
}

TEST_F(RouteTableTest, ServesItselfWhatItHasReadyWhoeverElseServesIt) {
  desired_.remotes = {RemoteRoute{kTenant, "add", {{NodeId("n2"), "http://n2:80"}}, {}, {default_binding("add")}}};
  desired_.routes = {route_to("add", {{module_id("add", {1, 0, 0}), 100}})};
  EXPECT_NE(build()->by_http("any", "/m/add/", 0).peers, nullptr);
  const auto version = ready("add", 1);
  EXPECT_EQ(build()->by_http("any", "/m/add/", 0).version, version.get());
  EXPECT_EQ(build()->by_http("any", "/m/add/", 0).peers, nullptr);
}

TEST_F(RouteTableTest, NothingCrossesTenants) {
  const auto version = ready("add", 1);
  desired_.routes = {route_to("add", {{version->id, 100}})};
  const auto table = build();
  EXPECT_EQ(table->by_name(TenantId("other"), "add", 0), nullptr);
  EXPECT_EQ(table->by_id(TenantId("other"), "add-v1.0.0"), nullptr);
}

TEST_F(RouteTableTest, DrawsByWeight) {
  const auto one = ready("add", 1);
  const auto two = ready("add", 2);
  desired_.routes = {route_to("add", {{one->id, 90}, {two->id, 10}})};
  const auto table = build();
  int second = 0;
  for (std::uint64_t draw = 0; draw < 100; ++draw) second += table->by_name(kTenant, "add", draw) == two.get() ? 1 : 0;
  EXPECT_EQ(second, 10);
}

// Says "ann" or nothing.
struct Ann final : Sender {
  bool known = true;
  [[nodiscard]] std::optional<std::uint64_t> number(const StickyKey& key) const override {
    return known && key.name == "user" ? std::optional<std::uint64_t>(99) : std::nullopt;
  }
};

TEST_F(RouteTableTest, AStickyRouteKeepsASenderToOneVersion) {
  const auto one = ready("add", 1);
  const auto two = ready("add", 2);
  desired_.routes = {route_to("add", {{one->id, 50}, {two->id, 50}})};
  Ann ann;
  EXPECT_EQ(build()->by_name(kTenant, "add", {0, &ann}), one.get());  // not sticky
  desired_.routes[0].sticky = StickyKey{StickyBy::cookie, "user"};
  const auto table = build();
  for (std::uint64_t draw = 0; draw < 100; ++draw) EXPECT_EQ(table->by_name(kTenant, "add", {draw, &ann}), two.get());
  ann.known = false;
  EXPECT_EQ(table->by_name(kTenant, "add", {0, &ann}), one.get());
}

TEST_F(RouteTableTest, ARouteMayWeighOtherwiseOnThisNode) {
  const auto one = ready("add", 1);
  const auto two = ready("add", 2);
  desired_.routes = {route_to("add", {{one->id, 100}})};
  desired_.routes[0].onNodes = {{{NodeId("n1")}, {{two->id, 100}}}};
  EXPECT_EQ(build()->by_name(kTenant, "add", 0), two.get());
  desired_.routes[0].onNodes[0].nodes = {NodeId("n2")};
  EXPECT_EQ(build()->by_name(kTenant, "add", 0), one.get());
}

TEST_F(RouteTableTest, APreviewAnswersAtItsOwnPlaceOnly) {
  const auto one = ready("add", 1);
  const auto two = ready("add", 2);
  desired_.routes = {route_to("add", {{one->id, 100}})};
  desired_.routes[0].preview = Preview{two->id, {.host = std::nullopt, .pathPrefix = "/green/"}};
  const auto table = build();
  EXPECT_EQ(table->by_http("h", "/green/x", 0).version, two.get());
  for (std::uint64_t draw = 0; draw < 100; ++draw) EXPECT_EQ(table->by_name(kTenant, "add", draw), one.get());
}

TEST_F(RouteTableTest, APreviewAnswersWhereNothingIsRoutedYet) {
  const auto green = ready("add", 1);
  desired_.routes = {route_to("add", {})};
  desired_.routes[0].preview = Preview{green->id, {.host = std::nullopt, .pathPrefix = "/green/"}};
  const auto table = build();
  EXPECT_EQ(table->by_http("h", "/green/x", 0).version, green.get());
  EXPECT_EQ(table->by_http("h", "/m/add/", 0).version, nullptr);
  EXPECT_EQ(table->by_name(kTenant, "add", 0), nullptr);
}

TEST_F(RouteTableTest, AShadowStandsBesideARouteAndTakesNoTraffic) {
  const auto one = ready("add", 1);
  const auto two = ready("add", 2);
  const auto other = ready("sub", 1);
  desired_.routes = {route_to("add", {{one->id, 100}}), route_to("sub", {{other->id, 100}})};
  EXPECT_FALSE(build()->has_shadows());
  desired_.routes[0].shadow =
      ShadowRule{.moduleId = two->id, .percent = 30, .ignorePaths = {"/at"}, .allowOutbound = true};
  const auto table = build();
  EXPECT_TRUE(table->has_shadows());
  const auto* shadow = table->shadow_of(kTenant, "add");
  ASSERT_NE(shadow, nullptr);
  EXPECT_EQ(shadow->version, two);
  EXPECT_EQ(shadow->percent, 30);
  EXPECT_EQ(shadow->ignore_paths, std::vector<std::string>{"/at"});
  EXPECT_TRUE(shadow->allow_outbound);
  ASSERT_NE(table->by_http("h", "/m/add/", 0).shadow, nullptr);
  EXPECT_EQ(table->by_http("h", "/m/add/", 0).shadow->version, two);
  EXPECT_EQ(table->by_http("h", "/m/sub/", 0).shadow, nullptr);
  EXPECT_EQ(table->shadow_of(kTenant, "sub"), nullptr);
  for (std::uint64_t draw = 0; draw < 100; ++draw) EXPECT_EQ(table->by_name(kTenant, "add", draw), one.get());
}

TEST_F(RouteTableTest, AShadowThatIsNotReadyHereGetsNothing) {
  const auto one = ready("add", 1);
  desired_.routes = {route_to("add", {{one->id, 100}})};
  desired_.routes[0].shadow =
      ShadowRule{.moduleId = module_id("add", {2, 0, 0}), .percent = 100, .ignorePaths = {}, .allowOutbound = false};
  EXPECT_FALSE(build()->has_shadows());
  EXPECT_EQ(build()->shadow_of(kTenant, "add"), nullptr);
}

TEST_F(RouteTableTest, AVersionThatIsNotReadyHereTakesNoTraffic) {
  const auto one = ready("add", 1);
  desired_.routes = {route_to("add", {{one->id, 50}, {module_id("add", {2, 0, 0}), 50}}),
                     route_to("sub", {{module_id("sub", {1, 0, 0}), 100}})};
  const auto table = build();
  for (std::uint64_t draw = 0; draw < 100; ++draw) EXPECT_EQ(table->by_name(kTenant, "add", draw), one.get());
  EXPECT_EQ(table->by_name(kTenant, "sub", 0), nullptr);
}

TEST_F(RouteTableTest, TheLongestPathPrefixWins) {
  const auto shop = ready("shop", 1);
  const auto cart = ready("cart", 1);
  desired_.routes = {route_to("shop", {{shop->id, 100}}), route_to("cart", {{cart->id, 100}})};
  desired_.routes[0].http.pathPrefix = "/";
  desired_.routes[1].http.pathPrefix = "/shop/cart/";
  const auto table = build();
  const auto find = [&](std::string_view path) { return table->by_http("any", path, 0); };
  EXPECT_EQ(find("/shop/cart/1").version, cart.get());
  EXPECT_EQ(find("/shop/cart/1").prefix_size, std::string_view("/shop/cart").size());
  EXPECT_EQ(find("/shop/cart").version, cart.get());
  EXPECT_EQ(find("/shop/cartoon").version, shop.get());
  EXPECT_EQ(find("/").version, shop.get());
  EXPECT_EQ(find("/").prefix_size, 0);
}

TEST_F(RouteTableTest, ARouteOfThisHostComesBeforeOneOfAnyHost) {
  const auto general = ready("general", 1);
  const auto own = ready("own", 1);
  desired_.routes = {route_to("general", {{general->id, 100}}), route_to("own", {{own->id, 100}})};
  desired_.routes[0].http = {.host = std::nullopt, .pathPrefix = "/"};
  desired_.routes[1].http = {.host = "Shop.Example", .pathPrefix = "/a/"};
  const auto table = build();
  EXPECT_EQ(table->by_http("shop.example:8081", "/a/b", 0).version, own.get());
  EXPECT_EQ(table->by_http("SHOP.example", "/a/b", 0).version, own.get());
  EXPECT_EQ(table->by_http("shop.example", "/b", 0).version, general.get());
  EXPECT_EQ(table->by_http("[::1]:80", "/a/b", 0).version, general.get());
}

TEST_F(RouteTableTest, ModulesWithoutAHandlerDoNotAnswerHttp) {
  const auto add = ready("add", 1, false);
  desired_.routes = {route_to("add", {{add->id, 100}})};
  EXPECT_EQ(build()->by_http("any", "/m/add/", 0).version, nullptr);
}

TEST_F(RouteTableTest, AVersionIsDroppedWithTheLastTableThatHoldsIt) {
  std::weak_ptr<ReadyVersion> watched = ready("add", 1);
  auto first = build();
  ready_.clear();
  auto second = build();
  EXPECT_FALSE(watched.expired());
  first = second;
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace hotswap::node
