#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/limits.h"
#include "model/deployment.h"
#include "model/mail.h"
#include "model/module.h"
#include "model/node.h"
#include "model/principal.h"
#include "model/route.h"
#include "model/text_rules.h"

namespace hotswap {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> fields_of(const std::vector<FieldError>& errors) {
  std::vector<std::string> fields;
  for (const auto& error : errors) {
    EXPECT_FALSE(error.message.empty()) << error.field;
    fields.push_back(error.field);
  }
  return fields;
}

// ---- versions

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

TEST(DefaultPrincipal, IsTheAdminOfTheDefaultTenant) {
  EXPECT_EQ(default_principal().user, "admin");
  EXPECT_EQ(default_principal().tenant.str(), "default");
  EXPECT_EQ(default_principal().role, Role::Admin);
}

// ---- text

TEST(NameRule, AllowsLettersDigitsDashesAndUnderscores) {
  for (const auto* name : {"a", "A-b_9", "-", "0"}) EXPECT_EQ(name_problem(name), "") << name;
  EXPECT_EQ(name_problem(std::string(limits::kNameBytes, 'x')), "");
  for (const auto* name : {"", " ", "a b", "a.b", "a/b", "ä", "a\n"}) EXPECT_NE(name_problem(name), "") << name;
  EXPECT_NE(name_problem(std::string(limits::kNameBytes + 1, 'x')), "");
  EXPECT_EQ(node_name_problem("edge-1.example.com"), "");
}

TEST(PlainText, IsUtf8WithoutNul) {
  for (const char* text : {"", "abc", "äöü", "日本", "😀", "\xEF\xBF\xBD"}) EXPECT_TRUE(is_plain_text(text)) << text;
  for (const char* text :
       {"\xff", "\xc3", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_FALSE(is_plain_text(text));
  }
  EXPECT_FALSE(is_plain_text(std::string_view("a\0b", 3)));
}

TEST(HostPattern, IsHostOrHostWithPortOrWildcardDomain) {
  for (const char* pattern : {"example.com", "localhost", "a-b.c", "10.0.0.1", "example.com:443", "10.0.0.1:1", "[::1]",
                              "[fe80::1]:8080", "*.example.com", "*.com", "xn--bcher-kva.example"}) {
    EXPECT_TRUE(is_host_pattern(pattern)) << pattern;
  }
  for (const char* pattern : {"",
                              "*",
                              "*.",
                              "*.*.com",
                              "a.*.com",
                              "*example.com",
                              "http://example.com",
                              "example.com/",
                              "example.com:",
                              "example.com:0",
                              "example.com:65536",
                              "example.com:080",
                              "example.com:http",
                              "-a.com",
                              "a-.com",
                              "a..com",
                              "a.com.",
                              ".com",
                              "::1",
                              "[::1",
                              "[1.2.3.4]",
                              "999.0.0.1",
                              "1.2.3",
                              "a b",
                              "a_b.com",
                              "*.10.0.0.1",
                              ":80"}) {
    EXPECT_FALSE(is_host_pattern(pattern)) << pattern;
  }
}

// ---- limits

struct LimitsCase {
  std::string name;
  std::function<void(ResourceLimits&)> change;
  std::vector<std::string> broken;
};

class LimitsRules : public testing::TestWithParam<LimitsCase> {};

TEST_P(LimitsRules, NameEveryBrokenField) {
  ResourceLimits limits;
  GetParam().change(limits);
  EXPECT_EQ(fields_of(validate(limits, "limits")), GetParam().broken);
}

INSTANTIATE_TEST_SUITE_P(
    Table, LimitsRules,
    testing::ValuesIn(std::vector<LimitsCase>{
        {"Defaults", [](auto&) {}, {}},
        {"LeastOfAll",
         [](auto& l) {
           l.maxMemoryMB = l.maxCpuPercent = l.maxExecutionTimeSeconds = l.maxConcurrentInvocations = 1;
           l.maxFilesMB = l.maxFiles = l.maxOutboundRequests = l.maxOutboundMB = 1;
         },
         {}},
        {"MostOfAll",
         [](auto& l) {
           l.maxMemoryMB = 512;
           l.maxCpuPercent = 100;
           l.maxExecutionTimeSeconds = 300;
           l.maxConcurrentInvocations = 1000;
           l.maxFilesMB = 10'240;
           l.maxFiles = 1'000'000;
           l.maxOutboundRequests = 10'000;
           l.maxOutboundMB = 1'024;
         },
         {}},
        {"BelowAll",
         [](auto& l) {
           l.maxMemoryMB = l.maxCpuPercent = l.maxExecutionTimeSeconds = l.maxConcurrentInvocations = 0;
           l.maxFilesMB = l.maxFiles = l.maxOutboundRequests = l.maxOutboundMB = 0;
         },
         {"limits.maxMemoryMB", "limits.maxCpuPercent", "limits.maxExecutionTimeSeconds",
          "limits.maxConcurrentInvocations", "limits.maxFilesMB", "limits.maxFiles", "limits.maxOutboundRequests",
          "limits.maxOutboundMB"}},
        {"AboveAll",
         [](auto& l) {
           l.maxMemoryMB = 513;
           l.maxCpuPercent = 101;
           l.maxExecutionTimeSeconds = 301;
           l.maxConcurrentInvocations = 1001;
           l.maxFilesMB = 10'241;
           l.maxFiles = 1'000'001;
           l.maxOutboundRequests = 10'001;
           l.maxOutboundMB = 1'025;
         },
         {"limits.maxMemoryMB", "limits.maxCpuPercent", "limits.maxExecutionTimeSeconds",
          "limits.maxConcurrentInvocations", "limits.maxFilesMB", "limits.maxFiles", "limits.maxOutboundRequests",
          "limits.maxOutboundMB"}},
        {"ReadOnlyWithoutDirectories", [](auto& l) { l.filesystemAccess = FilesystemAccess::ReadOnly; }, {}},
        {"ReadWriteWithoutDirectories",
         [](auto& l) { l.filesystemAccess = FilesystemAccess::ReadWrite; },
         {"limits.allowedDirectories"}},
        {"AllowListWithoutHosts", [](auto& l) { l.networkAccess = NetworkAccess::AllowList; }, {"limits.allowedHosts"}},
        {"UnrestrictedWithoutHosts", [](auto& l) { l.networkAccess = NetworkAccess::Unrestricted; }, {}},
        {"Directories",
         [](auto& l) {
           l.filesystemAccess = FilesystemAccess::ReadWrite;
           l.allowedDirectories = {"/data", "/data/cache", "/..."};
         },
         {}},
        {"BadDirectories",
         [](auto& l) {
           l.allowedDirectories = {
               "", "data", "/", "/a/../b", "/a//b", "/a/", "/./a", "/a/..", "/ok", "/ok", std::string("/a\0", 3)};
         },
         {"limits.allowedDirectories[0]", "limits.allowedDirectories[1]", "limits.allowedDirectories[2]",
          "limits.allowedDirectories[3]", "limits.allowedDirectories[4]", "limits.allowedDirectories[5]",
          "limits.allowedDirectories[6]", "limits.allowedDirectories[7]", "limits.allowedDirectories[9]",
          "limits.allowedDirectories[10]"}},
        {"BadHosts",
         [](auto& l) {
           l.networkAccess = NetworkAccess::AllowList;
           l.allowedHosts = {"good.example", "http://bad", "*.good.example"};
         },
         {"limits.allowedHosts[1]"}},
        {"TooManyEntries",
         [](auto& l) {
           l.allowedHosts.assign(limits::kListEntries + 1, "a.example");
           for (std::size_t i = 0; i <= limits::kListEntries; ++i) {
             l.allowedDirectories.push_back("/d" + std::to_string(i));
           }
         },
         {"limits.allowedDirectories", "limits.allowedHosts"}},
        {"Environment", [](auto& l) { l.environmentVariables = {{"A", ""}, {"b c", "=ü\n"}}; }, {}},
        {"BadEnvironment",
         [](auto& l) { l.environmentVariables = {{"", "x"}, {"A=B", "x"}, {"C", std::string("\0", 1)}}; },
         {"limits.environmentVariables", "limits.environmentVariables.A=B", "limits.environmentVariables.C"}},
        {"LargeEnvironment",
         [](auto& l) { l.environmentVariables = {{"A", std::string(limits::kEnvironmentBytes, 'x')}}; },
         {"limits.environmentVariables"}},
        {"ManyVariables",
         [](auto& l) {
           for (std::size_t i = 0; i <= limits::kEnvironmentEntries; ++i) {
             l.environmentVariables["V" + std::to_string(i)] = "x";
           }
         },
         {"limits.environmentVariables"}},
    }),
    [](const auto& info) { return info.param.name; });

// ---- registrations

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

// ---- bindings

TEST(Binding, DefaultsToTheModulesName) {
  EXPECT_EQ(default_binding("greeter").pathPrefix, "/m/greeter/");
  EXPECT_FALSE(default_binding("greeter").host.has_value());
  EXPECT_THAT(validate(default_binding("greeter"), "http"), IsEmpty());
}

TEST(Binding, AllowsHostsAndPrefixes) {
  for (const char* prefix : {"/", "/a/", "/a/b-c_d~e/", "/%20/", "/apis/", "/a/api/"}) {
    EXPECT_THAT(validate(HttpBinding{std::nullopt, prefix}, "http"), IsEmpty()) << prefix;
  }
  for (const char* host : {"example.com", "10.0.0.1", "[::1]"}) {
    EXPECT_THAT(validate(HttpBinding{host, "/"}, "http"), IsEmpty()) << host;
  }
}

TEST(Binding, RefusesWhatCannotBeRouted) {
  for (const char* prefix : {"", "a/", "/a", "//", "/a//b/", "/api/", "/api/v1/", "/health/", "/health/live/", "/a b/",
                             "/a?b/", "/a#b/", "/ä/", "/../", "/a/./"}) {
    EXPECT_THAT(fields_of(validate(HttpBinding{std::nullopt, prefix}, "http")), ElementsAre("http.pathPrefix"))
        << prefix;
  }
  for (const char* host : {"", "example.com:80", "*.example.com", "::1", "a/b"}) {
    EXPECT_THAT(fields_of(validate(HttpBinding{host, "/"}, "http")), ElementsAre("http.host")) << host;
  }
}

// ---- deployment requests

DeploymentRequest good_request() {
  DeploymentRequest request;
  request.moduleId = ModuleId("greeter-v1.0.0");
  request.targetRegions = {Region("all")};
  return request;
}

struct RequestCase {
  std::string name;
  std::function<void(DeploymentRequest&)> change;
  std::vector<std::string> broken;
};

class RequestRules : public testing::TestWithParam<RequestCase> {};

TEST_P(RequestRules, NameEveryBrokenField) {
  DeploymentRequest request = good_request();
  GetParam().change(request);
  EXPECT_EQ(fields_of(validate(request)), GetParam().broken);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RequestRules,
    testing::ValuesIn(std::vector<RequestCase>{
        {"Good", [](auto&) {}, {}},
        {"OnlyNodes",
         [](auto& r) {
           r.targetRegions.clear();
           r.targetNodes = std::vector{NodeId("n1"), NodeId("edge.example")};
         },
         {}},
        {"NoTarget", [](auto& r) { r.targetRegions.clear(); }, {"targetRegions"}},
        {"EmptyNodes",
         [](auto& r) {
           r.targetRegions.clear();
           r.targetNodes.emplace();
         },
         {"targetRegions"}},
        {"BadTargets",
         [](auto& r) {
           r.targetRegions = {Region("eu"), Region(""), Region("e u"), Region("eu")};
           r.targetNodes = std::vector{NodeId("n1"), NodeId("n1"), NodeId("n/1")};
         },
         {"targetRegions[1]", "targetRegions[2]", "targetRegions[3]", "targetNodes[1]", "targetNodes[2]"}},
        {"TooManyRegions",
         [](auto& r) {
           r.targetRegions.clear();
           for (std::size_t i = 0; i <= limits::kListEntries; ++i) r.targetRegions.emplace_back(std::to_string(i));
         },
         {"targetRegions"}},
        {"NoModule", [](auto& r) { r.moduleId = ModuleId(); }, {"moduleId"}},
        {"ConfigNotAnObject", [](auto& r) { r.strategyConfig = json::array(); }, {"strategyConfig"}},
        {"CheckAtItsLeast",
         [](auto& r) {
           r.healthCheck.timeoutSeconds = r.healthCheck.successThreshold = r.healthCheck.failureThreshold = 1;
         },
         {}},
        {"CheckBelow",
         [](auto& r) {
           r.healthCheck.timeoutSeconds = r.healthCheck.successThreshold = r.healthCheck.failureThreshold = 0;
           r.healthCheck.functionName.clear();
         },
         {"healthCheck.functionName", "healthCheck.timeoutSeconds", "healthCheck.successThreshold",
          "healthCheck.failureThreshold"}},
        {"CheckAbove",
         [](auto& r) {
           r.healthCheck.timeoutSeconds = 61;
           r.healthCheck.successThreshold = r.healthCheck.failureThreshold = 11;
           r.healthCheck.expectedResult = std::string(limits::kDescriptionBytes + 1, 'x');
         },
         {"healthCheck.expectedResult", "healthCheck.timeoutSeconds", "healthCheck.successThreshold",
          "healthCheck.failureThreshold"}},
        {"DisabledCheckNeedsNoFunction",
         [](auto& r) {
           r.healthCheck.enabled = false;
           r.healthCheck.functionName.clear();
         },
         {}},
        {"CheckOfAPath",
         [](auto& r) {
           r.healthCheck.httpPath = "/up?deep=%20";
           r.healthCheck.httpStatus = 599;
         },
         {}},
        {"CheckOfNoPath",
         [](auto& r) {
           r.healthCheck.httpPath = "up";
           r.healthCheck.httpStatus = 99;
         },
         {"healthCheck.httpPath", "healthCheck.httpStatus"}},
        {"CheckOfAPathWithALineBreak",
         [](auto& r) {
           r.healthCheck.httpPath = "/up HTTP/1.1\r\nx: y";
           r.healthCheck.httpStatus = 600;
         },
         {"healthCheck.httpPath", "healthCheck.httpStatus"}},
        {"BadBinding", [](auto& r) { r.http = HttpBinding{"x:1", "x"}; }, {"http.host", "http.pathPrefix"}},
    }),
    [](const auto& info) { return info.param.name; });

// ---- retention

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

// ---- what nodes lack

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

// ---- what an approval covers

TEST(CallerBreaks, AreApprovedAsTheyWereSeen) {
  const CallerBreak gone{.path = "add",
                         .was = "func()",
                         .is = "",
                         .inPlace = ModuleId("a-v1.0.0"),
                         .regions = {Region("eu"), Region("us")}};
  EXPECT_EQ(text_of(gone), "add: was func(), is gone (a-v1.0.0 in eu, us)");
  EXPECT_THAT(not_approved({gone}, {gone}), testing::IsEmpty());
  EXPECT_THAT(not_approved({gone}, {}), testing::ElementsAre(gone));
  auto by_another = gone;
  by_another.inPlace = ModuleId("a-v1.0.1");
  EXPECT_THAT(not_approved({by_another}, {gone}), testing::IsEmpty());
  auto otherwise = gone;
  otherwise.is = "func(u32)";
  EXPECT_THAT(not_approved({otherwise}, {gone}), testing::ElementsAre(otherwise));
  auto in_asia = gone;
  in_asia.regions = {Region("eu"), Region("asia")};
  const auto left = not_approved({in_asia}, {gone});
  ASSERT_EQ(left.size(), 1U);
  EXPECT_THAT(left.front().regions, testing::ElementsAre(Region("asia")));
}

// ---- mail

TEST(MailAddress, IsOneThatAnEnvelopeCanHold) {
  for (const char* good : {"ada@example.com", "a.b+c@mail.example.com", "o'neil@localhost", "x@127.0.0.1"}) {
    EXPECT_TRUE(is_mail_address(good)) << good;
  }
  for (const char* bad : {"", "ada", "@example.com", "ada@", "ada@ex ample", "a\nb@x.org", "ada@x.org>", "<ada@x.org",
                          "a@b@c", ".a@x.org", "a..b@x.org", "a,b@x.org"}) {
    EXPECT_FALSE(is_mail_address(bad)) << bad;
  }
}

// ---- claims

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

}  // namespace
}  // namespace hotswap
