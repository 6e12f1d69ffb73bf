#include "model/module_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hotswap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const EngineOffers kOffers{.core = {"wasi_snapshot_preview1#fd_write", "wasi_snapshot_preview1#path_open"},
                           .component = {"wasi:io/streams@0.2.12", "wasi:http/outgoing-handler@0.2.12",
                                         "wasi:sockets/tcp@0.2.12", "wasi:filesystem/types@0.2.12",
                                         "acme:kv/store@2.3.0", "acme:odd/thing@0.0.3", "wasi:http/client@0.3.0"}};

ModuleDescription component(std::vector<std::string> imports) {
  ModuleDescription description;
  description.kind = "component";
  description.wasi = "0.2";
  for (auto& name : imports) description.imports.push_back({std::move(name), "instance"});
  return description;
}

TEST(ApplyingADescription, FillsWhatTheBytesSay) {
  ModuleDescription description;
  description.kind = "core";
  description.wasi = "preview1";
  description.command = true;
  description.imports = {{"wasi_snapshot_preview1#fd_write", "func"}, {"wasi_snapshot_preview1#path_open", "func"}};
  description.exports = {{"memory", "memory", {}, {}}, {"_start", "func", {}, {}}};
  Module module;
  ASSERT_TRUE(apply_description(description, kOffers, false, module));
  EXPECT_EQ(module.kind, ModuleKind::Core);
  EXPECT_EQ(module.wasiVersion, WasiVersion::Preview1);
  EXPECT_TRUE(module.command);
  EXPECT_THAT(module.requiredInterfaces, ElementsAre("wasi_snapshot_preview1"));
  EXPECT_THAT(module.exportedFunctions, ElementsAre("_start"));
  EXPECT_THAT(module.findings, IsEmpty());
}

struct Import {
  std::string name;
  bool offered;
};

class ComponentImports : public testing::TestWithParam<Import> {};

TEST_P(ComponentImports, AreOfferedByCompatibilityTrack) {
  Module module;
  EXPECT_EQ(apply_description(component({GetParam().name}), kOffers, true, module).has_value(), GetParam().offered);
}

INSTANTIATE_TEST_SUITE_P(Tracks, ComponentImports,
                         testing::Values(Import{"wasi:io/streams@0.2.0", true}, Import{"wasi:io/streams@0.2.99", true},
                                         Import{"wasi:io/streams@0.3.0", false}, Import{"wasi:io/streams", false},
                                         Import{"wasi:io/streams@0.2.0-rc1", false},
                                         Import{"acme:kv/store@2.0.0", true}, Import{"acme:kv/store@3.0.0", false},
                                         Import{"acme:odd/thing@0.0.3", true}, Import{"acme:odd/thing@0.0.4", false}));

TEST(ApplyingADescription, ListsEveryImportThatNoNodeOffers) {
  ModuleDescription description = component({"wasi:io/streams@0.2.3", "acme:a/b@1.0.0", "acme:c/d@1.0.0"});
  description.imports.push_back({"some-type", "type"});
  Module module;
  const auto applied = apply_description(description, kOffers, false, module);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::kUnprocessable);
  EXPECT_THAT(applied.error().detail, HasSubstr("acme:a/b@1.0.0, acme:c/d@1.0.0"));
  ASSERT_EQ(applied.error().fields.size(), 2U);
  EXPECT_EQ(applied.error().fields[0].field, "binary");

  ModuleDescription core;
  core.kind = "core";
  core.wasi = "none";
  core.imports = {{"env#log", "func"}};
  EXPECT_THAT(apply_description(core, kOffers, false, module).error().detail, HasSubstr("env#log"));
}

TEST(ApplyingADescription, RefusesWasi03WhereItIsOffAndNamesTheSetting) {
  ModuleDescription description = component({"wasi:http/client@0.3.0"});
  description.wasi = "0.3";
  description.http = "0.3";
  Module module;
  const auto refused = apply_description(description, kOffers, false, module);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnprocessable);
  EXPECT_THAT(refused.error().detail, HasSubstr("--wasi03"));
  ASSERT_TRUE(apply_description(description, kOffers, true, module));
  EXPECT_EQ(module.httpHandler, "0.3");
  EXPECT_EQ(module.wasiVersion, WasiVersion::Preview3);
}

TEST(Scanning, ReportsEndlessExportsAndMemoryAboveTheLimit) {
  ModuleDescription description = component({});
  description.endlessExports = {"spin"};
  description.memories = {{1 << 20, std::nullopt}, {3 << 20, std::nullopt}};
  Module module;
  module.limits.maxMemoryMB = 2;
  ASSERT_TRUE(apply_description(description, kOffers, false, module));
  ASSERT_EQ(module.findings.size(), 2U);
  EXPECT_EQ(module.findings[0].rule, "endless-export");
  EXPECT_EQ(module.findings[0].subject, "spin");
  EXPECT_EQ(module.findings[1].rule, "initial-memory");
  EXPECT_EQ(module.findings[1].subject, "memory 1");

  module.limits.maxMemoryMB = 3;
  ASSERT_TRUE(apply_description(description, kOffers, false, module));
  ASSERT_EQ(module.findings.size(), 2U);
  EXPECT_EQ(module.findings[1].subject, "all memories");
}

TEST(Scanning, ReportsImportsBeyondTheGrantedCapabilities) {
  const auto description = component({"wasi:http/outgoing-handler@0.2.0", "wasi:sockets/tcp@0.2.0",
                                      "wasi:filesystem/types@0.2.0", "wasi:io/streams@0.2.0"});
  Module module;
  module.limits.filesystemAccess = FilesystemAccess::Disabled;
  ASSERT_TRUE(apply_description(description, kOffers, false, module));
  ASSERT_EQ(module.findings.size(), 3U);
  for (const auto& finding : module.findings) EXPECT_EQ(finding.rule, "capability");
  EXPECT_EQ(module.findings[0].subject, "wasi:http/outgoing-handler@0.2.0");

  module.limits.filesystemAccess = FilesystemAccess::ReadOnly;
  module.limits.networkAccess = NetworkAccess::Unrestricted;
  ASSERT_TRUE(apply_description(description, kOffers, false, module));
  EXPECT_THAT(module.findings, IsEmpty());
}

TEST(ApplyingADescription, RefusesAWasiVersionThatItDoesNotKnow) {
  ModuleDescription description = component({});
  description.wasi = "0.9";
  Module module;
  EXPECT_EQ(apply_description(description, kOffers, true, module).error().kind, ErrorKind::kInternal);
}

}  // namespace
}  // namespace hotswap
