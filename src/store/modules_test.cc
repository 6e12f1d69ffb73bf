#include <algorithm>
#include <ranges>

#include "store/store_fixture.h"

namespace hotswap {
namespace {

class ModuleRows : public StoreTest {
 protected:
  void add(const Module& module, const TenantId& tenant = kTenant, std::size_t keep = kKeepAll) {
    must(store_->add_module(tenant, module, keep));
  }
  void deploy(const std::string& id, const Module& module, DeploymentStatus status, std::vector<Route> routes = {}) {
    DeploymentChange change{kTenant, make_deployment(id, module, status), 0, {make_event()}, std::move(routes), {}};
    must(store_->apply(change));
  }
  std::vector<std::string> ids(const ModuleQuery& query, const TenantId& tenant = kTenant) {
    std::vector<std::string> all;
    for (const auto& module : must(store_->modules(tenant, query)).items) all.push_back(module.moduleId.str());
    return all;
  }
};

using Strings = std::vector<std::string>;

TEST_P(ModuleRows, ReturnAllFieldsAsTheyWereAdded) {
  Module module = make_module("greeter", {1, 2, 3}, "content");
  module.description = "Grüßt \"alle\" – auch :named, ::casts und 'quotes' \\ %";
  module.binaryPath = "sha256/ab/cd.br";
  module.kind = ModuleKind::Component;
  module.wasiVersion = WasiVersion::Preview2;
  module.httpHandler = "0.2";
  module.requiredInterfaces = {"wasi:http/types@0.2.0"};
  module.exportedFunctions = {"greet", "ns:pkg/api@1.0.0#fn"};
  module.findings = {{"endless-export", "spin", "never returns"}};
  module.limits.environmentVariables = {{"A", "b\nc"}};
  module.metadata = {{"commit", "0123"}};
  module.sizeBytes = 5'000'000'000;
  module.status = ModuleStatus::Deprecated;
  const AddedModule added = must(store_->add_module(kTenant, module, 5));
  EXPECT_FALSE(added.existed);
  EXPECT_EQ(added.module, module);
  EXPECT_EQ(must(store_->module(kTenant, module.moduleId)), module);
}

TEST_P(ModuleRows, SurviveReopening) {
  const Module module = make_module("greeter", {1, 0, 0});
  add(module);
  store_.reset();
  store_ = open();
  EXPECT_EQ(must(store_->module(kTenant, module.moduleId)), module);
}

TEST_P(ModuleRows, AddingTheSameContentAgainReturnsTheFirst) {
  const Module first = make_module("greeter", {1, 0, 0}, "a");
  add(first);
  Module second = first;
  second.registeredBy = "somebody else";
  const AddedModule again = must(store_->add_module(kTenant, second, 5));
  EXPECT_TRUE(again.existed);
  EXPECT_EQ(again.module, first);
}

TEST_P(ModuleRows, AddingOtherContentUnderAnExistingIdIsAConflict) {
  add(make_module("greeter", {1, 0, 0}, "a"));
  const auto result = store_->add_module(kTenant, make_module("greeter", {1, 0, 0}, "b"), 5);
  ASSERT_EQ(kind_of(result), ErrorKind::kConflict);
  EXPECT_THAT(result.error().detail, testing::HasSubstr("greeter-v1.0.0"));
  EXPECT_THAT(result.error().detail, testing::HasSubstr(Sha256::of("a").hex()));
}

TEST_P(ModuleRows, AnUnknownModuleIsNotFound) {
  const ModuleId unknown("nobody-v1.0.0");
  EXPECT_EQ(kind_of(store_->module(kTenant, unknown)), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of(store_->update_module(kTenant, unknown, {}, kStart)), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of(store_->remove_module(kTenant, unknown)), ErrorKind::kNotFound);
}

TEST_P(ModuleRows, TextThatNoRowCanHoldIsInvalid) {
  add(make_module("greeter", {1, 0, 0}));
  EXPECT_EQ(kind_of(store_->module(kTenant, ModuleId(std::string("greeter-v1.0.0\0x", 16)))), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(store_->module(kTenant, ModuleId("\xff"))), ErrorKind::kInvalid);
  EXPECT_TRUE(store_->ping().has_value());
}

TEST_P(ModuleRows, AreInvisibleToOtherTenants) {
  const Module module = make_module("greeter", {1, 0, 0}, "mine");
  add(module);
  EXPECT_EQ(kind_of(store_->module(kOther, module.moduleId)), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of(store_->update_module(kOther, module.moduleId, {}, kStart)), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of(store_->remove_module(kOther, module.moduleId)), ErrorKind::kNotFound);
  EXPECT_TRUE(ids({}, kOther).empty());
  EXPECT_FALSE(must(store_->add_module(kOther, make_module("greeter", {1, 0, 0}, "theirs"), 1)).existed);
  EXPECT_EQ(must(store_->module(kTenant, module.moduleId)), module);
  must(store_->add_invocations({{kOther, module.moduleId, 7}}));
  EXPECT_EQ(must(store_->module(kTenant, module.moduleId)).invocationCount, 0);
  EXPECT_EQ(must(store_->module(kOther, module.moduleId)).invocationCount, 7);
}

TEST_P(ModuleRows, RetentionOfOneTenantLeavesTheOthersAlone) {
  for (int minor = 0; minor < 3; ++minor) add(make_module("greeter", {1, minor, 0}), kOther);
  for (int minor = 0; minor < 3; ++minor) add(make_module("greeter", {1, minor, 0}), kTenant, 1);
  EXPECT_EQ(ids({}), Strings{"greeter-v1.2.0"});
  EXPECT_EQ(ids({}, kOther).size(), 3u);
}

TEST_P(ModuleRows, APatchChangesOnlyWhatItNames) {
  Module module = make_module("greeter", {1, 0, 0});
  module.description = "old";
  module.metadata = {{"a", "1"}};
  add(module);
  const TimePoint later = kStart + std::chrono::seconds(5);
  Module patched = must(store_->update_module(kTenant, module.moduleId, {ModuleStatus::Disabled, {}, {}}, later));
  module.status = ModuleStatus::Disabled;
  module.updatedAt = later;
  EXPECT_EQ(patched, module);
  patched = must(store_->update_module(kTenant, module.moduleId,
                                       {{}, "new", std::map<std::string, std::string>{{"b", "2"}}}, later));
  module.description = "new";
  module.metadata = {{"b", "2"}};
  EXPECT_EQ(patched, module);
  EXPECT_EQ(must(store_->module(kTenant, module.moduleId)), module);
  EXPECT_EQ(ids({.status = ModuleStatus::Disabled}), Strings{"greeter-v1.0.0"});
  EXPECT_EQ(ids({.text = "NEW"}), Strings{"greeter-v1.0.0"});
  EXPECT_TRUE(ids({.text = "old"}).empty());
}

TEST_P(ModuleRows, AreListedByNameInByteOrderAndVersionsByNumber) {
  for (const auto version : {Version{1, 10, 0}, Version{1, 9, 0}, Version{2, 0, 0}, Version{1, 9, 11}}) {
    add(make_module("a", version));
  }
  add(make_module("B", {1, 0, 0}));
  add(make_module("a-b", {1, 0, 0}));
  add(make_module("a_b", {1, 0, 0}));
  const Strings ascending{"B-v1.0.0", "a-v1.9.0", "a-v1.9.11", "a-v1.10.0", "a-v2.0.0", "a-b-v1.0.0", "a_b-v1.0.0"};
  EXPECT_EQ(ids({}), ascending);
  Strings descending = ascending;
  std::ranges::reverse(descending);
  EXPECT_EQ(ids({.descending = true}), descending);
}

TEST_P(ModuleRows, AreFilteredByNameStatusAndText) {
  Module plain = make_module("plain", {1, 0, 0});
  plain.description = "100% of ÄRGER_";
  add(plain);
  Module other = make_module("other", {1, 0, 0});
  other.description = "100 and then some";
  other.status = ModuleStatus::Deprecated;
  add(other);
  add(make_module("PlainToo", {1, 0, 0}));
  EXPECT_EQ(ids({.name = "plain"}), Strings{"plain-v1.0.0"});
  EXPECT_EQ(ids({.status = ModuleStatus::Deprecated}), Strings{"other-v1.0.0"});
  EXPECT_EQ(ids({.text = "PLAIN"}), (Strings{"PlainToo-v1.0.0", "plain-v1.0.0"}));
  EXPECT_EQ(ids({.text = "100%"}), Strings{"plain-v1.0.0"});
  EXPECT_EQ(ids({.text = "ärger_"}), Strings{"plain-v1.0.0"});
  EXPECT_EQ(ids({.text = "_"}), Strings{"plain-v1.0.0"});
  EXPECT_TRUE(ids({.text = "!"}).empty());
  EXPECT_TRUE(ids({.name = "plain", .status = ModuleStatus::Deprecated}).empty());
  EXPECT_EQ(ids({.name = "other", .status = ModuleStatus::Deprecated, .text = "then"}), Strings{"other-v1.0.0"});
}

TEST_P(ModuleRows, PagesOfEveryOrderJoinToTheWholeList) {
  for (int i = 0; i < 23; ++i) {
    Module module = make_module(i % 3 == 0 ? "x" : "y", {1, i, 0}, std::string(static_cast<std::size_t>(i % 4), 'c'));
    module.registeredAt = kStart + std::chrono::milliseconds(i * 7 % 5);
    add(module);
  }
  for (const auto order : {ModuleOrder::name, ModuleOrder::registeredAt, ModuleOrder::sizeBytes}) {
    for (const bool descending : {false, true}) {
      const Strings whole = ids({.order = order, .descending = descending, .limit = 100});
      ASSERT_EQ(whole.size(), 23u);
      Strings joined;
      ModuleQuery query{.order = order, .descending = descending, .limit = 5};
      int pages = 0;
      do {
        const Page<Module> page = must(store_->modules(kTenant, query));
        for (const auto& module : page.items) joined.push_back(module.moduleId.str());
        query.cursor = page.nextCursor;
        ++pages;
      } while (query.cursor && pages < 20);
      EXPECT_EQ(joined, whole) << enum_name(order) << descending;
      EXPECT_EQ(pages, 5);
    }
  }
}

TEST_P(ModuleRows, TheLastFullPageHasNoCursor) {
  for (int i = 0; i < 4; ++i) add(make_module("x", {1, i, 0}));
  EXPECT_FALSE(must(store_->modules(kTenant, {.limit = 4})).nextCursor.has_value());
  EXPECT_TRUE(must(store_->modules(kTenant, {.limit = 3})).nextCursor.has_value());
}

TEST_P(ModuleRows, ACursorOfAnotherQueryIsRefused) {
  for (int i = 0; i < 4; ++i) add(make_module("x", {1, i, 0}));
  const auto cursor = must(store_->modules(kTenant, {.limit = 2})).nextCursor;
  ASSERT_TRUE(cursor.has_value());
  const std::vector<ModuleQuery> others{
      {.order = ModuleOrder::sizeBytes, .cursor = cursor},
      {.descending = true, .cursor = cursor},
      {.name = "x", .cursor = cursor},
      {.cursor = "nonsense"},
      {.cursor = ""},
      {.cursor = "*"},
      {.cursor = cursor->substr(0, cursor->size() / 2)},
  };
  for (const auto& query : others) {
    const auto result = store_->modules(kTenant, query);
    ASSERT_EQ(kind_of(result), ErrorKind::kInvalid);
    ASSERT_EQ(result.error().fields.size(), 1u);
    EXPECT_EQ(result.error().fields.front().field, "cursor");
  }
  EXPECT_EQ(kind_of(store_->modules(kOther, {.cursor = cursor})), ErrorKind::kInvalid);
}

TEST_P(ModuleRows, RetentionKeepsTheNewestVersions) {
  for (int i = 0; i < 5; ++i) add(make_module("x", {1, i, 0}), kTenant, 5);
  add(make_module("y", {1, 0, 0}), kTenant, 5);
  const AddedModule added = must(store_->add_module(kTenant, make_module("x", {1, 10, 0}), 5));
  ASSERT_EQ(added.removed.size(), 1u);
  EXPECT_EQ(added.removed.front(), make_module("x", {1, 0, 0}));
  EXPECT_EQ(ids({.name = "x"}), (Strings{"x-v1.1.0", "x-v1.2.0", "x-v1.3.0", "x-v1.4.0", "x-v1.10.0"}));
  EXPECT_EQ(ids({.name = "y"}).size(), 1u);
}

TEST_P(ModuleRows, RetentionNeverRemovesAVersionThatSomethingRefersTo) {
  const Module routed = make_module("x", {1, 0, 0});
  const Module deploying = make_module("x", {1, 1, 0});
  const Module done = make_module("x", {1, 2, 0});
  for (const auto& module : {routed, deploying, done}) add(module);
  deploy("d1", routed, DeploymentStatus::Completed, {make_route(kTenant, routed, "eu")});
  deploy("d2", deploying, DeploymentStatus::Paused);
  deploy("d3", done, DeploymentStatus::Failed);
  const AddedModule added = must(store_->add_module(kTenant, make_module("x", {2, 0, 0}), 1));
  ASSERT_EQ(added.removed.size(), 1u);
  EXPECT_EQ(added.removed.front().moduleId, done.moduleId);
  EXPECT_EQ(ids({}), (Strings{"x-v1.0.0", "x-v1.1.0", "x-v2.0.0"}));
}

TEST_P(ModuleRows, RetentionSparesTheVersionThatIsBeingAdded) {
  for (int i = 1; i < 4; ++i) add(make_module("x", {2, i, 0}), kTenant, 3);
  const AddedModule added = must(store_->add_module(kTenant, make_module("x", {1, 0, 0}), 3));
  EXPECT_TRUE(added.removed.empty());
  EXPECT_TRUE(store_->module(kTenant, added.module.moduleId).has_value());
}

TEST_P(ModuleRows, ARemovedModuleIsReturnedAndGone) {
  const Module module = make_module("x", {1, 0, 0});
  add(module);
  EXPECT_EQ(must(store_->remove_module(kTenant, module.moduleId)), module);
  EXPECT_EQ(kind_of(store_->module(kTenant, module.moduleId)), ErrorKind::kNotFound);
}

TEST_P(ModuleRows, RemovingAModuleInUseNamesWhatRefersToIt) {
  const Module module = make_module("x", {1, 0, 0});
  add(module);
  deploy("d-7", module, DeploymentStatus::InProgress, {make_route(kTenant, module, "eu-west")});
  const auto result = store_->remove_module(kTenant, module.moduleId);
  ASSERT_EQ(kind_of(result), ErrorKind::kConflict);
  EXPECT_THAT(result.error().detail, testing::HasSubstr("route x in region eu-west"));
  EXPECT_THAT(result.error().detail, testing::HasSubstr("deployment d-7"));
}

TEST_P(ModuleRows, AreCountedOverAllTenants) {
  EXPECT_EQ(must(store_->count_modules()), 0);
  add(make_module("x", {1, 0, 0}));
  add(make_module("x", {1, 0, 0}), kOther);
  EXPECT_EQ(must(store_->count_modules()), 2);
}

TEST_P(ModuleRows, ADigestIsInUseWhileAnyTenantHasIt) {
  const Module module = make_module("x", {1, 0, 0}, "shared");
  EXPECT_FALSE(must(store_->digest_in_use(module.checksum)));
  add(module);
  add(module, kOther);
  must(store_->remove_module(kTenant, module.moduleId));
  EXPECT_TRUE(must(store_->digest_in_use(module.checksum)));
  must(store_->remove_module(kOther, module.moduleId));
  EXPECT_FALSE(must(store_->digest_in_use(module.checksum)));
}

TEST_P(ModuleRows, InvocationsAddUpAndSurviveAPatch) {
  const Module module = make_module("x", {1, 0, 0});
  add(module);
  must(store_->add_invocations({{kTenant, module.moduleId, 3},
                                {kTenant, ModuleId("gone-v1.0.0"), 9},
                                {kTenant, module.moduleId, 4'000'000'000}}));
  must(store_->add_invocations({}));
  must(store_->update_module(kTenant, module.moduleId, {ModuleStatus::Deprecated, {}, {}}, kStart));
  EXPECT_EQ(must(store_->module(kTenant, module.moduleId)).invocationCount, 4'000'000'003);
}

TEST_P(ModuleRows, ReferencedModulesAreThoseOfRoutesAndUnfinishedDeployments) {
  const Module routed = make_module("a", {1, 0, 0});
  const Module deploying = make_module("b", {1, 0, 0});
  const Module idle = make_module("c", {1, 0, 0});
  for (const auto& module : {routed, deploying, idle}) add(module);
  add(idle, kOther);
  deploy("d1", routed, DeploymentStatus::Completed,
         {make_route(kTenant, routed, "eu"), make_route(kTenant, routed, "us")});
  deploy("d2", deploying, DeploymentStatus::InProgress);
  deploy("d3", idle, DeploymentStatus::Cancelled);
  Strings found;
  for (const auto& [tenant, module] : must(store_->all_referenced_modules())) {
    EXPECT_EQ(tenant, kTenant);
    found.push_back(module.moduleId.str());
  }
  EXPECT_EQ(found, (Strings{"a-v1.0.0", "b-v1.0.0"}));
}

HOTSWAP_ON_BOTH_DATABASES(ModuleRows);

}  // namespace
}  // namespace hotswap
