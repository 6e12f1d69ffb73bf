#include "control/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/figures.h"

namespace hotswap::control {
namespace {

using std::chrono::seconds;
using testing::IsEmpty;
using testing::SizeIs;

const TenantId kTenant("default");
const Region kHere("us-east");
const SteadyPoint kStart{seconds(1000)};

VersionMetrics window(const std::string& version, std::int64_t requests, std::int64_t failures = 0) {
  VersionMetrics made;
  made.tenant = kTenant;
  made.name = "m";
  made.moduleId = ModuleId(version);
  made.requests = requests;
  made.failures = failures;
  made.latency = {requests, 0};
  return made;
}

TEST(TrafficTest, SumsUpTheNodesOfARegion) {
  Traffic traffic;
  traffic.add(kHere, {window("m-v1.0.0", 10, 1)}, kStart);
  traffic.add(kHere, {window("m-v1.0.0", 5), window("m-v2.0.0", 1)}, kStart);
  traffic.add(Region("eu-west"), {window("m-v1.0.0", 3)}, kStart);
  const auto rows = traffic.rows(kTenant);
  ASSERT_THAT(rows, SizeIs(3));
  EXPECT_EQ(rows[1].requests, 15);
  EXPECT_EQ(rows[1].failures, 1);
  EXPECT_EQ(rows[1].latency.at(0), 15);
}

TEST(TrafficTest, IsATenantsOwn) {
  Traffic traffic;
  traffic.add(kHere, {window("m-v1.0.0", 10)}, kStart);
  EXPECT_THAT(traffic.rows(TenantId("other")), IsEmpty());
}

TEST(TrafficTest, ForgetsWhatNobodyCallsAnyMore) {
  Traffic traffic;
  traffic.add(kHere, {window("m-v1.0.0", 10), window("m-v2.0.0", 10)}, kStart);
  traffic.add(kHere, {window("m-v2.0.0", 10)}, kStart + limits::kTrafficKept);
  traffic.forget_idle(kStart + limits::kTrafficKept + seconds(1));
  ASSERT_THAT(traffic.rows(kTenant), SizeIs(1));
  EXPECT_EQ(traffic.rows(kTenant)[0].moduleId, ModuleId("m-v2.0.0"));
}

}  // namespace
}  // namespace hotswap::control
