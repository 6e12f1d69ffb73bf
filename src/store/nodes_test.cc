#include "store/store_fixture.h"

namespace hotswap {
namespace {

class NodeRows : public StoreTest {};

NodeRecord record(const std::string& id) {
  NodeRecord node;
  node.node.nodeId = NodeId(id);
  node.node.hostname = "127.0.0.1";
  node.node.region = Region("us-east");
  node.node.zone = "a";
  node.node.runtimeVersion = "48.0.0";
  node.credentials.push_back({Sha256::of("secret"), TimePoint(std::chrono::milliseconds(5))});
  return node;
}

JoinToken token(const std::string& id, int created) {
  JoinToken made;
  made.tokenId = id;
  made.createdAt = TimePoint(std::chrono::milliseconds(created));
  return made;
}

TEST_P(NodeRows, ANodeComesBackAsItWasPut) {
  const NodeRecord node = record("n1");
  ASSERT_TRUE(store_->put_node(node));
  NodeRecord changed = record("n2");
  ASSERT_TRUE(store_->put_node(changed));
  changed.draining = true;
  ASSERT_TRUE(store_->put_node(changed));
  EXPECT_EQ(must(store_->all_nodes()), (std::vector{node, changed}));
  ASSERT_TRUE(store_->remove_node(NodeId("n1")));
  ASSERT_TRUE(store_->remove_node(NodeId("n1")));
  EXPECT_EQ(must(store_->all_nodes()), std::vector{changed});
}

TEST_P(NodeRows, APinnedVersionIsKeptWhileItsNodeIsThere) {
  const Module module = make_module("greeter", {1, 0, 0});
  NodeRecord node = record("n1");
  node.pins = {{kTenant, module.moduleId}};
  EXPECT_EQ(kind_of(store_->put_node(node)), ErrorKind::kNotFound);
  must(store_->add_module(kTenant, module, kKeepAll));
  ASSERT_TRUE(store_->put_node(node));
  ASSERT_TRUE(store_->put_node(node));
  const auto refused = store_->remove_module(kTenant, module.moduleId);
  ASSERT_EQ(kind_of(refused), ErrorKind::kConflict);
  EXPECT_THAT(refused.error().detail, testing::HasSubstr("a pin to node n1"));
  ASSERT_TRUE(store_->remove_node(NodeId("n1")));
  EXPECT_TRUE(store_->remove_module(kTenant, module.moduleId));
}

TEST_P(NodeRows, AJoinTokenIsFoundByTheDigestOfItsSecretAlone) {
  ASSERT_TRUE(store_->put_join_token(token("b", 2), Sha256::of("two")));
  ASSERT_TRUE(store_->put_join_token(token("a", 1), Sha256::of("one")));
  EXPECT_EQ(must(store_->join_token_by_secret(Sha256::of("two"))).value().tokenId, "b");
  EXPECT_FALSE(must(store_->join_token_by_secret(Sha256::of("three"))));
  EXPECT_EQ(must(store_->join_tokens()).front().tokenId, "a");
  JoinToken revoked = token("b", 2);
  revoked.revokedAt = TimePoint(std::chrono::milliseconds(9));
  ASSERT_TRUE(store_->put_join_token(revoked, std::nullopt));
  EXPECT_EQ(must(store_->join_token("b")), revoked);
  EXPECT_EQ(store_->join_token("c").error().kind, ErrorKind::kNotFound);
}

HOTSWAP_ON_BOTH_DATABASES(NodeRows);

}  // namespace
}  // namespace hotswap
