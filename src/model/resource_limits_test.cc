#include "model/resource_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/limits.h"
#include "model/model_fixture.h"

namespace hotswap {
namespace {

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

}  // namespace
}  // namespace hotswap
