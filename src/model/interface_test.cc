#include "model/interface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "model/approval.h"

namespace hotswap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const TimePoint kNow{std::chrono::seconds(1'790'000'000)};

Principal person(const std::string& name, Role role = Role::Admin) {
  return {.user = name, .tenant = TenantId("default"), .role = role};
}

WasiInterface draft() {
  WasiInterface made;
  made.interfaceId = interface_id("acme", "shop", "1.0.0");
  made.packageNamespace = "acme";
  made.name = "shop";
  made.version = "1.0.0";
  made.text.witDefinition = "package acme:shop@1.0.0;";
  made.registeredAt = kNow;
  made.registeredBy = "ada";
  return made;
}

TEST(WasiInterfaces, AreTheSameAfterJsonAndCarryTheNamesOfTheSpecification) {
  WasiInterface made = draft();
  made.breaking = {.against = "acme:shop@0.9.0", .changes = 2, .problem = "p", .suggestedVersion = "2.0.0"};
  made.sunsetAt = kNow;
  const json::value document = to_json(made);
  EXPECT_EQ(document.at("namespace"), "acme");
  EXPECT_EQ(document.at("witDefinition"), "package acme:shop@1.0.0;");
  EXPECT_EQ(from_json<WasiInterface>(document).value(), made);
  made.text = {};
  EXPECT_FALSE(to_json(made).as_object().contains("witDefinition"));
}

TEST(WasiInterfaces, GoFromDraftOverApprovalToDeprecation) {
  const auto pending = submitted(draft(), person("ada", Role::Developer), true, kNow).value();
  EXPECT_EQ(pending.status, InterfaceStatus::PendingApproval);
  EXPECT_EQ(pending.submittedBy, "ada");
  const auto in_use = approved(pending, person("eve"), false, kNow).value();
  EXPECT_EQ(in_use.status, InterfaceStatus::Approved);
  EXPECT_EQ(in_use.approvedBy, "eve");
  EXPECT_EQ(in_use.approvedAt, kNow);
  const auto going = deprecated(in_use, person("eve"), {"old", "https://acme.example/2", kNow}, kNow).value();
  EXPECT_EQ(going.status, InterfaceStatus::Deprecated);
  EXPECT_EQ(going.deprecationReason, "old");
  EXPECT_EQ(going.migrationGuide, "https://acme.example/2");
  EXPECT_EQ(going.sunsetAt, kNow);
  for (const auto& [again, was] :
       {std::pair(submitted(pending, person("bob"), true, kNow), pending),
        {approved(in_use, person("bob"), false, kNow), in_use},
        {deprecated(going, person("bob"), {"old", "https://acme.example/2", kNow}, kNow), going}}) {
    EXPECT_EQ(again.value(), was);
  }
}

TEST(WasiInterfaces, NeedNoApprovalWhereTheRegistryAsksForNone) {
  const auto made = submitted(draft(), person("ada", Role::Developer), false, kNow).value();
  EXPECT_EQ(made.status, InterfaceStatus::Approved);
  EXPECT_EQ(made.approvedBy, "ada");
}

TEST(WasiInterfaces, AreSubmittedAnewAfterARejection) {
  const auto pending = submitted(draft(), person("ada"), true, kNow).value();
  const auto no = rejected(pending, person("eve"), "names", kNow).value();
  EXPECT_EQ(no.status, InterfaceStatus::Rejected);
  EXPECT_EQ(no.rejectionReason, "names");
  const auto again = submitted(no, person("ada"), true, kNow).value();
  EXPECT_EQ(again.status, InterfaceStatus::PendingApproval);
  EXPECT_FALSE(again.rejectionReason);
}

TEST(WasiInterfaces, RefuseWhatTheirStatusDoesNotAllow) {
  const auto pending = submitted(draft(), person("ada"), true, kNow).value();
  const auto in_use = approved(pending, person("eve"), false, kNow).value();
  const auto going = deprecated(in_use, person("eve"), {"old", {}, {}}, kNow).value();
  const auto kind = [](const Result<WasiInterface>& result) {
    return result ? std::optional<ErrorKind>() : result.error().kind;
  };
  EXPECT_EQ(kind(approved(draft(), person("eve"), false, kNow)), ErrorKind::kConflict);
  EXPECT_EQ(kind(rejected(draft(), person("eve"), "no", kNow)), ErrorKind::kConflict);
  EXPECT_EQ(kind(rejected(in_use, person("eve"), "no", kNow)), ErrorKind::kConflict);
  EXPECT_EQ(kind(deprecated(draft(), person("eve"), {"old", {}, {}}, kNow)), ErrorKind::kConflict);
  EXPECT_EQ(kind(submitted(going, person("ada"), true, kNow)), ErrorKind::kConflict);
  EXPECT_EQ(kind(approved(going, person("eve"), false, kNow)), ErrorKind::kConflict);
  WasiInterface own = draft();
  own.platform = true;
  EXPECT_EQ(kind(submitted(own, person("ada"), true, kNow)), ErrorKind::kConflict);
  EXPECT_EQ(kind(deprecated(own, person("eve"), {"old", {}, {}}, kNow)), ErrorKind::kConflict);
}

TEST(Approval, IsAnAdminsAndNotTheMakersUnlessThereIsOneUser) {
  EXPECT_TRUE(may_approve(person("eve"), "a thing", "ada", false));
  EXPECT_TRUE(may_approve(person("ada"), "a thing", "ada", true));
  EXPECT_EQ(may_approve(person("ada"), "a thing", "ada", false).error().kind, ErrorKind::kForbidden);
  for (const Role role : {Role::Viewer, Role::Operator, Role::Developer}) {
    const auto refused = may_approve(person("eve", role), "a thing", "ada", true);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kForbidden);
    EXPECT_THAT(refused.error().detail, HasSubstr(enum_name(role)));
  }
}

TEST(InterfaceVersions, AreOrderedAsNumbersWithPreReleasesBeforeReleases) {
  const std::vector<std::string> ordered{"0.2.0-rc-1", "0.2.0",       "0.2.3", "0.2.12",
                                         "0.10.0",     "1.0.0-alpha", "1.0.0", "10.0.0"};
  for (std::size_t i = 1; i < ordered.size(); ++i) {
    EXPECT_LT(version_key(ordered[i - 1]), version_key(ordered[i])) << ordered[i - 1] << ' ' << ordered[i];
  }
}

TEST(InterfaceIds, NameThePackageOfAnInterface) {
  EXPECT_EQ(package_id(InterfaceId("wasi:filesystem/types@0.2.0")), InterfaceId("wasi:filesystem@0.2.0"));
  EXPECT_EQ(package_id(InterfaceId("wasi:filesystem@0.2.0")), InterfaceId("wasi:filesystem@0.2.0"));
  EXPECT_EQ(package_id(InterfaceId("nonsense/")), InterfaceId("nonsense/"));
}

TEST(InterfaceChecksums, AreOfTheTextsAlone) {
  const InterfaceText one{.witDefinition = {}, .files = {{"a.wit", "A"}, {"b.wit", "B"}}, .functions = {}};
  const InterfaceText other{.witDefinition = {}, .files = {{"y.wit", "B"}, {"x.wit", "A"}}, .functions = {}};
  const InterfaceText joined{.witDefinition = "AB", .files = {}, .functions = {}};
  EXPECT_EQ(checksum_of(one), checksum_of(other));
  EXPECT_NE(checksum_of(one), checksum_of(joined));
}

TEST(InterfaceRegistrations, ListEveryBrokenRule) {
  const auto fields = [](const InterfaceRegistration& registration) {
    std::vector<std::string> names;
    for (const auto& error : validate(registration)) names.push_back(error.field);
    return names;
  };
  EXPECT_THAT(fields({.witDefinition = "package a:b@1.0.0;"}), ElementsAre());
  EXPECT_THAT(fields({}), ElementsAre("witDefinition"));
  EXPECT_THAT(fields({.witDefinition = "x", .files = {{"a.wit", "x"}}}), ElementsAre("witDefinition"));
  EXPECT_THAT(fields({.files = {{"a.wit", std::string("\0", 1)}, {"a.wit", "x"}, {"", "x"}}}),
              ElementsAre("files[0].text", "files[1].path", "files[2].path"));
  EXPECT_THAT(fields({.witDefinition = std::string(limits::kWitBytes + 1, 'x')}), ElementsAre("witDefinition"));
  EXPECT_THAT(fields({.witDefinition = "x", .description = std::string(limits::kDescriptionBytes + 1, 'x')}),
              ElementsAre("description"));
  EXPECT_THAT(fields({.files = std::vector<InterfaceFile>(kInterfaceFiles + 1, {"a", "x"})}).front(), "files");
}

TEST(InterfaceVerbs, WantAReasonAndASunsetToCome) {
  EXPECT_EQ(validate(InterfaceRejection{}).size(), 1U);
  EXPECT_EQ(validate(InterfaceDeprecation{.reason = "", .migrationGuide = {}, .sunsetAt = kNow}, kNow).size(), 2U);
  EXPECT_TRUE(validate(InterfaceDeprecation{"old", "guide", kNow + std::chrono::seconds(1)}, kNow).empty());
}

}  // namespace
}  // namespace hotswap
