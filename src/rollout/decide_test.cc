#include "rollout/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "base/limits.h"

namespace hotswap::rollout {

// For gtest's messages.
void PrintTo(const Wait& wait, std::ostream* out) { *out << "Wait until " << to_rfc3339(wait.until); }
void PrintTo(const Advance& advance, std::ostream* out) { *out << "Advance to " << advance.next; }
void PrintTo(const Complete&, std::ostream* out) { *out << "Complete"; }
void PrintTo(const Fail& fail, std::ostream* out) {
  *out << "Fail: " << fail.reason << " (" << fail.nodes.size() << " nodes)";
}

namespace {

const TenantId kTenant{"default"};
const ModuleId kModule{"greeter-v2.0.0"};
const NodeId kA{"a"};
const NodeId kB{"b"};
constexpr TimePoint kStart{std::chrono::milliseconds(1'790'000'000'000)};
constexpr TimePoint kDeadline = kStart + limits::kPrepareDeadline;

RolloutState at_step(int step) {
  RolloutState state;
  state.tenant = kTenant;
  state.deployment.moduleId = kModule;
  state.deployment.status = DeploymentStatus::InProgress;
  state.deployment.plan = {{StepKind::Prepare, {kA, kB}, {}, 100}, {StepKind::Shift, {kA, kB}, {Region("r")}, 100}};
  state.deployment.step = step;
  state.deployment.stepStartedAt = kStart;
  state.step_revision = 10;
  state.watched_since = kStart - std::chrono::hours(1);
  return state;
}

NodeView view(std::int64_t known, std::int64_t routed, std::optional<VersionState> state, std::string reason = "",
              TenantId tenant = kTenant) {
  NodeView made;
  made.known_revision = known;
  made.report.routedRevision = routed;
  if (state) made.report.versions.push_back({std::move(tenant), kModule, *state, std::move(reason)});
  return made;
}

struct Case {
  std::string name;
  int step;
  FleetReports reports;
  TimePoint now;
  Decision expected;
};

class Deciding : public testing::TestWithParam<Case> {};

TEST_P(Deciding, FollowsFromTheFacts) {
  EXPECT_EQ(decide(at_step(GetParam().step), GetParam().reports, GetParam().now), GetParam().expected);
}

const auto kReady = VersionState::Ready;
const auto kSoon = kStart + std::chrono::seconds(1);

INSTANTIATE_TEST_SUITE_P(
    Facts, Deciding,
    testing::Values(
        Case{"NothingReportedYet", 0, {}, kSoon, Wait{kDeadline}},
        Case{"OneOfTwoReady", 0, {{kA, view(10, 0, kReady)}}, kSoon, Wait{kDeadline}},
        Case{"StillCompiling",
             0,
             {{kA, view(10, 0, kReady)}, {kB, view(10, 0, VersionState::Compiling)}},
             kSoon,
             Wait{kDeadline}},
        Case{"AllReady", 0, {{kA, view(10, 0, kReady)}, {kB, view(12, 0, kReady)}}, kSoon, Advance{1}},
        Case{"ReadyFromAnEarlierPreparation",
             0,
             {{kA, view(10, 0, kReady)}, {kB, view(9, 0, kReady)}},
             kSoon,
             Wait{kDeadline}},
        Case{"FailedInAnEarlierPreparation",
             0,
             {{kA, view(10, 0, kReady)}, {kB, view(9, 0, VersionState::Failed, "old")}},
             kSoon,
             Wait{kDeadline}},
        Case{"AnotherTenantsModuleOfThatName",
             0,
             {{kA, view(10, 0, kReady)}, {kB, view(10, 0, kReady, "", TenantId("other"))}},
             kSoon,
             Wait{kDeadline}},
        Case{"OneFailed",
             0,
             {{kA, view(10, 0, kReady)}, {kB, view(10, 0, VersionState::Failed, "no memory")}},
             kSoon,
             Fail{"node b could not prepare the version: no memory", {kB}}},
        Case{"DeadlineOfPreparation",
             0,
             {{kA, view(10, 0, kReady)}},
             kDeadline,
             Fail{"node b did not report the version ready within 60 s", {kB}}},
        Case{"AllReadyAtTheDeadline", 0, {{kA, view(10, 0, kReady)}, {kB, view(10, 0, kReady)}}, kDeadline, Advance{1}},
        Case{"RoutesNotYetTaken", 1, {{kA, view(10, 10, kReady)}, {kB, view(10, 9, kReady)}}, kSoon, Wait{kDeadline}},
        Case{"RoutesTaken", 1, {{kA, view(10, 10, kReady)}, {kB, view(11, 11, kReady)}}, kSoon, Complete{}},
        Case{"DeadlineOfRoutes",
             1,
             {},
             kDeadline,
             Fail{"nodes a, b did not report the new routes within 60 s", {kA, kB}}},
        Case{"NoStepLeft", 2, {}, kSoon, Complete{}}),
    [](const auto& info) { return info.param.name; });

TEST(DecidingAgain, GivesNodesTheirTimeAfterTheControlPlaneWasAway) {
  auto state = at_step(0);
  state.watched_since = kDeadline + std::chrono::hours(1);
  EXPECT_EQ(decide(state, {}, state.watched_since), Decision(Wait{state.watched_since + limits::kPrepareDeadline}));
}

TEST(Progress, IsTheShareOfStepsThatAreDone) {
  const auto deployment = at_step(0).deployment;
  EXPECT_EQ(progress(deployment, 0), 0);
  EXPECT_EQ(progress(deployment, 1), 50);
  EXPECT_EQ(progress(deployment, 2), 100);
  EXPECT_EQ(progress(Deployment{}, 0), 0);
}

}  // namespace
}  // namespace hotswap::rollout
