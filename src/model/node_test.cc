#include "model/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hotswap {
namespace {

Module needing(ModuleKind kind, WasiVersion version, std::vector<std::string> interfaces) {
  Module module;
  module.kind = kind;
  module.wasiVersion = version;
  module.requiredInterfaces = std::move(interfaces);
  return module;
}

TEST(NodeCapabilities, LacksWhatItDidNotState) {
  NodeDescription node;
  node.wasiVersion = WasiVersion::Preview2;
  node.capabilities = {"wasi:io/streams@0.2.12", "wasi_snapshot_preview1"};
  const auto component = needing(ModuleKind::Component, WasiVersion::Preview2,
                                 {"wasi:io/streams@0.2.3", "wasi:sockets/tcp@0.2.0", "some-type"});
  EXPECT_THAT(lacking(node, component), testing::ElementsAre("wasi:sockets/tcp@0.2.0"));
  EXPECT_THAT(lacking(node, needing(ModuleKind::Core, WasiVersion::Preview1, {"wasi_snapshot_preview1"})),
              testing::IsEmpty());
  EXPECT_THAT(lacking(node, needing(ModuleKind::Core, WasiVersion::Preview1, {"wasi_unstable"})),
              testing::ElementsAre("wasi_unstable"));
}

TEST(NodeCapabilities, LacksANewerWasi) {
  NodeDescription node;
  node.wasiVersion = WasiVersion::Preview2;
  auto module = needing(ModuleKind::Component, WasiVersion::Preview3, {});
  EXPECT_THAT(lacking(node, module), testing::ElementsAre("WASI Preview3 (it has Preview2)"));
  module.wasiVersion = WasiVersion::Preview2;
  EXPECT_THAT(lacking(node, module), testing::IsEmpty());
  module.httpHandler = "0.3";
  EXPECT_THAT(lacking(node, module), testing::SizeIs(1));
}

TEST(NodeCapabilities, OfANodeThatStatedNoneNothingIsKnownToLack) {
  EXPECT_THAT(lacking(NodeDescription{}, needing(ModuleKind::Component, WasiVersion::Preview2, {"wasi:io/poll@0.2.0"})),
              testing::IsEmpty());
}

}  // namespace
}  // namespace hotswap
