#include "store/store_fixture.h"

namespace hotswap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Strings = std::vector<std::string>;

class InterfaceRows : public StoreTest {
 protected:
  static WasiInterface make(const std::string& name, const std::string& version, const std::string& text = "text") {
    WasiInterface made;
    made.interfaceId = interface_id("acme", name, version);
    made.packageNamespace = "acme";
    made.name = name;
    made.version = version;
    made.text.witDefinition = text;
    made.checksum = checksum_of(made.text);
    made.registeredAt = kStart;
    made.registeredBy = "ada";
    return made;
  }
  static WasiInterface platform(const std::string& version, const std::string& text = "wasi") {
    WasiInterface made = make("io", version, text);
    made.packageNamespace = "wasi";
    made.interfaceId = interface_id("wasi", "io", version);
    made.status = InterfaceStatus::Approved;
    made.platform = true;
    return made;
  }
  void change(const WasiInterface& was, InterfaceStatus status) {
    auto stored = must(store_->interface(kTenant, was.interfaceId));
    stored.interface.status = status;
    must(store_->change_interface(kTenant, stored, {}));
  }
  Strings ids(const InterfaceQuery& query, const TenantId& tenant = kTenant) {
    Strings all;
    for (const auto& one : must(store_->interfaces(tenant, query)).items) all.push_back(one.interfaceId.str());
    return all;
  }
};

TEST_P(InterfaceRows, ReturnAllFieldsAsTheyWereAdded) {
  WasiInterface made = make("shop", "1.0.0");
  made.text = {.witDefinition = {}, .files = {{"a.wit", "Ä ' :x"}, {"b.wit", "B"}}, .functions = {"f: func()"}};
  made.description = "d";
  made.compatibility = InterfaceCompatibility::Full;
  made.interfaces = {"acme:shop/api@1.0.0"};
  made.worlds = {"acme:shop/service@1.0.0"};
  made.dependencies = {"wasi:io@0.2.12"};
  made.breaking = {.against = "acme:shop@0.9.0", .changes = 1, .problem = "p", .suggestedVersion = "2.0.0"};
  EXPECT_FALSE(must(store_->add_interface(kTenant, made)).existed);
  EXPECT_EQ(must(store_->interface(kTenant, made.interfaceId)).interface, made);
  store_.reset();
  store_ = open();
  EXPECT_EQ(must(store_->interface(kTenant, made.interfaceId)).interface, made);
}

TEST_P(InterfaceRows, AreListedWithoutTheirTextsInTheOrderOfVersions) {
  for (const char* version : {"1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0"})
    must(store_->add_interface(kTenant, make("shop", version)));
  must(store_->add_interface(kTenant, make("log", "1.0.0")));
  const Strings all{"acme:log@1.0.0", "acme:shop@1.9.0", "acme:shop@1.10.0", "acme:shop@2.0.0-rc.1", "acme:shop@2.0.0"};
  EXPECT_EQ(ids({}), all);
  EXPECT_EQ(ids({.name = "log"}), Strings{"acme:log@1.0.0"});
  EXPECT_TRUE(ids({.packageNamespace = "wasi"}).empty());
  EXPECT_EQ(must(store_->interfaces(kTenant, {})).items.front().text, InterfaceText{});
  EXPECT_EQ(must(store_->all_interfaces(kTenant)).size(), all.size());

  Strings joined;
  InterfaceQuery query{.limit = 2};
  do {
    const auto page = must(store_->interfaces(kTenant, query));
    for (const auto& one : page.items) joined.push_back(one.interfaceId.str());
    query.cursor = page.nextCursor;
  } while (query.cursor && joined.size() < 10);
  EXPECT_EQ(joined, all);
  const auto cursor = must(store_->interfaces(kTenant, {.limit = 2})).nextCursor;
  EXPECT_EQ(kind_of(store_->interfaces(kTenant, {.name = "shop", .cursor = cursor})), ErrorKind::kInvalid);
}

TEST_P(InterfaceRows, TheSameTextAgainIsTheSameInterface) {
  must(store_->add_interface(kTenant, make("shop", "1.0.0")));
  auto again = make("shop", "1.0.0");
  again.registeredBy = "bob";
  const auto added = must(store_->add_interface(kTenant, again));
  EXPECT_TRUE(added.existed);
  EXPECT_EQ(added.interface.registeredBy, "ada");
}

TEST_P(InterfaceRows, AnotherTextReplacesADraftAndARejectedOneAlone) {
  const auto first = make("shop", "1.0.0");
  must(store_->add_interface(kTenant, first));
  EXPECT_FALSE(must(store_->add_interface(kTenant, make("shop", "1.0.0", "second"))).existed);
  EXPECT_EQ(must(store_->interface(kTenant, first.interfaceId)).interface.text.witDefinition, "second");
  for (const auto status : {InterfaceStatus::PendingApproval, InterfaceStatus::Approved, InterfaceStatus::Deprecated}) {
    change(first, status);
    const auto refused = store_->add_interface(kTenant, first);
    ASSERT_EQ(kind_of(refused), ErrorKind::kConflict);
    EXPECT_THAT(refused.error().detail, HasSubstr(enum_name(status)));
  }
  change(first, InterfaceStatus::Rejected);
  EXPECT_FALSE(must(store_->add_interface(kTenant, first)).existed);
  EXPECT_EQ(must(store_->interface(kTenant, first.interfaceId)).interface.status, InterfaceStatus::Draft);
}

TEST_P(InterfaceRows, AChangeOfWhatHasChangedMeanwhileIsAConflict) {
  const auto made = make("shop", "1.0.0");
  must(store_->add_interface(kTenant, made));
  auto stale = must(store_->interface(kTenant, made.interfaceId));
  change(made, InterfaceStatus::PendingApproval);
  stale.interface.status = InterfaceStatus::Approved;
  EXPECT_EQ(kind_of(store_->change_interface(kTenant, stale, {})), ErrorKind::kConflict);
  EXPECT_EQ(ids({.status = InterfaceStatus::PendingApproval}), Strings{"acme:shop@1.0.0"});
  EXPECT_TRUE(ids({.status = InterfaceStatus::Approved}).empty());
}

TEST_P(InterfaceRows, AreInvisibleToOtherTenants) {
  const auto made = make("shop", "1.0.0");
  must(store_->add_interface(kTenant, made));
  EXPECT_EQ(kind_of(store_->interface(kOther, made.interfaceId)), ErrorKind::kNotFound);
  EXPECT_TRUE(ids({}, kOther).empty());
  const auto stored = must(store_->interface(kTenant, made.interfaceId));
  EXPECT_EQ(kind_of(store_->change_interface(kOther, stored, {})), ErrorKind::kConflict);
  must(store_->add_interface(kOther, make("shop", "1.0.0", "theirs")));
  EXPECT_EQ(must(store_->interface(kTenant, made.interfaceId)).interface, made);
}

TEST_P(InterfaceRows, ThePlatformsOwnAreSeenByEveryTenantAndAreThoseOfThisBuild) {
  must(store_->put_platform_interfaces({platform("0.2.0"), platform("0.3.0")}));
  EXPECT_EQ(ids({}), (Strings{"wasi:io@0.2.0", "wasi:io@0.3.0"}));
  EXPECT_EQ(ids({}, kOther), ids({}));
  EXPECT_EQ(kind_of(store_->add_interface(kTenant, platform("0.2.0", "mine"))), ErrorKind::kConflict);
  const auto before = must(store_->interface(kTenant, InterfaceId("wasi:io@0.3.0")));
  must(store_->put_platform_interfaces({platform("0.3.0"), platform("0.4.0")}));
  EXPECT_EQ(ids({}), (Strings{"wasi:io@0.3.0", "wasi:io@0.4.0"}));
  EXPECT_EQ(must(store_->interface(kOther, InterfaceId("wasi:io@0.3.0"))).revision, before.revision);
  must(store_->put_platform_interfaces({platform("0.3.0", "other")}));
  EXPECT_EQ(must(store_->interface(kOther, InterfaceId("wasi:io@0.3.0"))).interface.text.witDefinition, "other");
}

HOTSWAP_ON_BOTH_DATABASES(InterfaceRows);

}  // namespace
}  // namespace hotswap
