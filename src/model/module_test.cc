#include "model/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "model/model_fixture.h"

namespace hotswap {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(VersionText, IsThreeNumbersWithoutLeadingZeros) {
  EXPECT_EQ(parse_version("1.2.3").value(), (Version{1, 2, 3}));
  EXPECT_EQ(parse_version("0.0.0").value(), (Version{0, 0, 0}));
  EXPECT_EQ(parse_version("2147483647.10.0").value(), (Version{2147483647, 10, 0}));
}

TEST(VersionText, OfAnyOtherFormIsInvalid) {
  for (const char* text : {"",       "1",      "1.2",       "1.2.3.4",        "01.2.3",
                           "1.02.3", "1.2.03", "1.2.3-rc1", "1.2.3+b",        "v1.2.3",
                           " 1.2.3", "1.2.3 ", "1..3",      ".1.2",           "1.2.",
                           "-1.2.3", "+1.2.3", "1.2.x",     "2147483648.0.0", "0.0.99999999999999999999",
                           "1,2,3"}) {
    const auto version = parse_version(text);
    ASSERT_FALSE(version.has_value()) << text;
    EXPECT_EQ(version.error().kind, ErrorKind::kInvalid);
    EXPECT_THAT(version.error().detail, testing::HasSubstr("1.2.3"));
  }
}

TEST(VersionText, IsReadAndWrittenAsJson) {
  EXPECT_EQ(to_json_text(Version{1, 20, 3}), "\"1.20.3\"");
  EXPECT_EQ(from_json_text<Version>("\"1.20.3\"").value(), (Version{1, 20, 3}));
  EXPECT_FALSE(from_json_text<Version>("\"1.20\"").has_value());
  EXPECT_FALSE(from_json_text<Version>("1").has_value());
}

TEST(VersionOrder, IsNumeric) { EXPECT_LT((Version{1, 9, 9}), (Version{1, 10, 0})); }

TEST(DigestText, IsReadAndWrittenAsJson) {
  const Digest digest = Sha256::of("x");
  EXPECT_EQ(from_json_text<Digest>(to_json_text(digest)).value(), digest);
  EXPECT_FALSE(from_json_text<Digest>("\"abc\"").has_value());
  EXPECT_FALSE(from_json_text<Digest>("7").has_value());
}

TEST(ModuleIdentity, IsNameAndVersion) {
  EXPECT_EQ(module_id("image-processor", {1, 2, 3}).str(), "image-processor-v1.2.3");
}

ModuleRegistration good_registration() {
  ModuleRegistration registration;
  registration.name = "greeter";
  registration.version = "1.0.0";
  return registration;
}

TEST(Registration, WithNameAndVersionIsValid) { EXPECT_THAT(validate(good_registration()), IsEmpty()); }

TEST(Registration, ListsAllFailuresAtOnce) {
  ModuleRegistration registration;
  registration.name = "no spaces";
  registration.version = "1.0";
  registration.description = std::string("\0", 1);
  registration.limits.maxMemoryMB = 0;
  registration.metadata = {{"", ""}, {"bad", "\xff"}};
  EXPECT_THAT(fields_of(validate(registration)),
              ElementsAre("name", "version", "description", "limits.maxMemoryMB", "metadata", "metadata.bad"));
}

TEST(Registration, RequiresNameAndVersion) {
  const auto errors = validate(ModuleRegistration{});
  EXPECT_THAT(fields_of(errors), ElementsAre("name", "version"));
  for (const auto& error : errors) EXPECT_THAT(error.message, testing::HasSubstr("required"));
}

TEST(Registration, BoundsDescriptionAndMetadata) {
  auto registration = good_registration();
  registration.description = std::string(limits::kDescriptionBytes, 'x');
  registration.metadata = {{"k", std::string(limits::kMetadataBytes - 1, 'x')}};
  EXPECT_THAT(validate(registration), IsEmpty());
  registration.description->push_back('x');
  registration.metadata["l"] = "";
  EXPECT_THAT(fields_of(validate(registration)), ElementsAre("description", "metadata"));
  registration = good_registration();
  for (std::size_t i = 0; i <= limits::kMetadataEntries; ++i) registration.metadata[std::to_string(i)] = "";
  EXPECT_THAT(fields_of(validate(registration)), ElementsAre("metadata"));
}

TEST(ModulePatchRules, AreThoseOfARegistration) {
  EXPECT_THAT(validate(ModulePatch{}), IsEmpty());
  ModulePatch patch;
  patch.description = std::string(limits::kDescriptionBytes + 1, 'x');
  patch.metadata.emplace();
  patch.metadata->emplace("", "x");
  EXPECT_THAT(fields_of(validate(patch)), ElementsAre("description", "metadata"));
}

TEST(Claims, NameInterfacesAndWorldsWithVersions) {
  ModuleRegistration registration;
  registration.name = "shop";
  registration.version = "1.0.0";
  registration.claims = {"acme:shop/api@1.0.0", "wasi:http/proxy@0.2.12", "a:b/c@1.0.0-rc.1+x"};
  EXPECT_THAT(validate(registration), testing::IsEmpty());
  registration.claims = {"acme:shop@1.0.0", "acme:shop/api", "api", "a:b/c@1.0.0; x", "a:b/c@1", "a:b/c@1"};
  const auto errors = validate(registration);
  ASSERT_EQ(errors.size(), 5U);
  EXPECT_EQ(errors.front().field, "claims[0]");
  EXPECT_THAT(errors.back().message, testing::HasSubstr("more than once"));
}

struct RetentionCase {
  std::string name;
  std::vector<RetentionCandidate> versions;
  std::size_t keep;
  std::vector<Version> removed;
};

class Retention : public testing::TestWithParam<RetentionCase> {};

TEST_P(Retention, RemovesOldVersionsThatNothingRefersTo) {
  EXPECT_EQ(versions_to_remove(GetParam().versions, GetParam().keep), GetParam().removed);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Retention,
    testing::ValuesIn(std::vector<RetentionCase>{
        {"NoVersions", {}, 5, {}},
        {"FewerThanKept", {{{1, 0, 0}}, {{2, 0, 0}}}, 2, {}},
        {"OldestGoWhateverTheirOrder", {{{1, 9, 0}}, {{1, 10, 0}}, {{1, 2, 0}}}, 1, {{1, 9, 0}, {1, 2, 0}}},
        {"ReferredToStays", {{{1, 0, 0}, true}, {{1, 1, 0}}, {{1, 2, 0}}}, 1, {{1, 1, 0}}},
        {"AnOldReferredToDoesNotCount", {{{1, 0, 0}, true}, {{1, 1, 0}}, {{1, 2, 0}}}, 2, {}},
        {"ANewReferredToCounts", {{{1, 0, 0}}, {{1, 1, 0}}, {{1, 2, 0}, true}}, 2, {{1, 0, 0}}},
        {"KeepNone", {{{1, 0, 0}, true}, {{1, 1, 0}}}, 0, {{1, 1, 0}}},
    }),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace hotswap
