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
void PrintTo(const RollBack& back, std::ostream* out) {
  *out << "RollBack: " << back.reason << " (" << back.nodes.size() << " nodes, " << back.regions.size() << " regions)";
}
void PrintTo(const Pause& pause, std::ostream* out) { *out << "Pause: " << pause.reason; }
void PrintTo(const Measured& measured, std::ostream* out) { *out << "Measured " << enum_name(measured.outcome); }

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
  state.deployment.plan = {{.kind = StepKind::Prepare, .nodes = {kA, kB}, .regions = {}},
                           {.kind = StepKind::Shift, .nodes = {kA, kB}, .regions = {Region("r")}}};
  state.deployment.step = step;
  state.deployment.stepStartedAt = kStart;
  state.step_revision = 10;
  state.watched_since = kStart - std::chrono::hours(1);
  return state;
}

NodeReport view(std::int64_t known, std::int64_t routed, std::optional<VersionState> state, std::string reason = "",
                TenantId tenant = kTenant) {
  NodeReport made;
  made.knownRevision = known;
  made.routedRevision = routed;
  if (state) made.versions.push_back({std::move(tenant), kModule, *state, std::move(reason)});
  return made;
}

struct Case {
  std::string name;
  int step;
  FleetReports reports;
  TimePoint now;
  Decision expected;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class Deciding : public testing::TestWithParam<Case> {};

TEST_P(Deciding, FollowsFromTheFacts) {
  EXPECT_EQ(decide(at_step(GetParam().step), GetParam().reports, GetParam().now), GetParam().expected);
}

TEST(DecidingAShift, WaitsAWhileForGatewaysThatShallKnowTheRoute) {
  const FleetReports routed{{kA, view(10, 10, VersionState::Ready)}, {kB, view(10, 10, VersionState::Ready)}};
  RolloutState state = at_step(1);
  state.gateways = {NodeId("c")};
  const TimePoint soon = kStart + std::chrono::seconds(1);
  EXPECT_EQ(decide(state, routed, soon), Decision(Wait{kDeadline}));
  EXPECT_EQ(decide(state, routed, kDeadline), Decision(Complete{}));
  auto reports = routed;
  reports.emplace(NodeId("c"), view(9, 9, std::nullopt));
  EXPECT_EQ(decide(state, reports, soon), Decision(Wait{kDeadline}));
  reports.at(NodeId("c")).routedRevision = 10;
  EXPECT_EQ(decide(state, reports, soon), Decision(Complete{}));
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
             RollBack{"node b could not prepare the version: no memory", {kB}}},
        Case{"DeadlineOfPreparation",
             0,
             {{kA, view(10, 0, kReady)}},
             kDeadline,
             RollBack{"node b did not report the version ready within 60 s", {kB}}},
        Case{"AllReadyAtTheDeadline", 0, {{kA, view(10, 0, kReady)}, {kB, view(10, 0, kReady)}}, kDeadline, Advance{1}},
        Case{"RoutesNotYetTaken", 1, {{kA, view(10, 10, kReady)}, {kB, view(10, 9, kReady)}}, kSoon, Wait{kDeadline}},
        Case{"RoutesTaken", 1, {{kA, view(10, 10, kReady)}, {kB, view(11, 11, kReady)}}, kSoon, Complete{}},
        Case{"DeadlineOfRoutes",
             1,
             {},
             kDeadline,
             RollBack{"nodes a, b did not report the new routes within 60 s", {kA, kB}}},
        Case{"NoStepLeft", 2, {}, kSoon, Complete{}}),
    [](const auto& info) { return info.param.name; });

TEST(DecidingAgain, GivesNodesTheirTimeAfterTheControlPlaneWasAway) {
  auto state = at_step(0);
  state.watched_since = kDeadline + std::chrono::hours(1);
  EXPECT_EQ(decide(state, {}, state.watched_since), Decision(Wait{state.watched_since + limits::kPrepareDeadline}));
}

TEST(DecidingOnTrouble, LeavesTheRoutesWhereNoRollbackIsWanted) {
  auto state = at_step(1);
  state.deployment.autoRollbackEnabled = false;
  EXPECT_EQ(decide(state, {}, kDeadline),
            Decision(Fail{"nodes a, b did not report the new routes within 60 s", {kA, kB}}));
}

TEST(DecidingOnTrouble, PausesWhereThePlanSaysSo) {
  auto state = at_step(1);
  state.deployment.plan[1].onFailure = FailureAction::pause;
  EXPECT_EQ(decide(state, {}, kDeadline),
            Decision(Pause{"nodes a, b did not report the new routes within 60 s", {kA, kB}}));
}

TEST(DecidingOnTrouble, TakesBackTheRegionAloneWhereThePlanSaysSo) {
  auto state = at_step(1);
  state.deployment.plan[1].regionOnly = true;
  const auto decision = decide(state, {}, kDeadline);
  ASSERT_TRUE(std::holds_alternative<RollBack>(decision));
  EXPECT_EQ(std::get<RollBack>(decision).regions, std::vector{Region("r")});
}

TEST(DecidingWithLostNodes, DoesNotWaitForThemWhileOthersLive) {
  auto state = at_step(1);
  state.lost = {kB};
  EXPECT_EQ(decide(state, {{kA, view(10, 10, kReady)}}, kSoon), Decision(Complete{}));
  state.lost = {kA, kB};
  EXPECT_EQ(decide(state, {}, kSoon), Decision(Wait{kDeadline}));
}

TEST(DecidingWithLostNodes, StopsWhereMoreAreLostThanMayBe) {
  auto state = at_step(1);
  state.lost = {kB};
  state.deployment.plan[1].maxUnavailable = 0;
  EXPECT_EQ(decide(state, {{kA, view(10, 10, kReady)}}, kSoon),
            Decision(RollBack{"node b lost, 0 may be (maxUnavailable)", {kB}}));
  state.deployment.plan[1].maxUnavailable = 1;
  EXPECT_EQ(decide(state, {{kA, view(10, 10, kReady)}}, kSoon), Decision(Complete{}));
}

// A Hold of 60 s between two shifts, and a fleet that has the version.
RolloutState holding(std::optional<AnalysisConfig> analysis = std::nullopt, Gate gate = Gate::automatic) {
  auto state = at_step(1);
  Step hold{.kind = StepKind::Hold, .nodes = {kA, kB}, .regions = {Region("r")}};
  hold.seconds = 60;
  hold.gate = gate;
  hold.analysis = std::move(analysis);
  state.deployment.plan.insert(state.deployment.plan.begin() + 1, hold);
  return state;
}

AnalysisConfig error_rate_below(double percent) {
  AnalysisConfig config;
  config.metrics = {
      {.metric = MetricKind::errorRate, .threshold = percent, .tolerance = std::nullopt, .query = std::nullopt}};
  config.intervalSeconds = 10;
  return config;
}

Samples errors(std::uint64_t requests, std::uint64_t failed) {
  Samples samples;
  samples.candidate.requests = requests;
  samples.candidate.errors = failed;
  return samples;
}

const FleetReports kBothReady{{kA, view(10, 10, kReady)}, {kB, view(10, 10, kReady)}};
const auto kHeld = kStart + std::chrono::seconds(60);

TEST(Holding, EndsWithItsTime) {
  const auto state = holding();
  EXPECT_EQ(decide(state, kBothReady, kHeld - std::chrono::milliseconds(1)), Decision(Wait{kHeld}));
  EXPECT_EQ(decide(state, kBothReady, kHeld), Decision(Advance{2}));
}

TEST(Holding, ForAPersonNeverEndsByItself) {
  const auto decision = decide(holding(std::nullopt, Gate::manual), kBothReady, kHeld + std::chrono::hours(9));
  EXPECT_EQ(decision, Decision(Wait{TimePoint::max()}));
}

TEST(Holding, EndsAtOnceForWhatIsPromotedFully) {
  auto state = holding(error_rate_below(1), Gate::manual);
  state.deployment.promotedFully = true;
  EXPECT_EQ(decide(state, kBothReady, kSoon), Decision(Advance{2}));
}

TEST(Holding, FailsWhereANodeLosesTheVersion) {
  const FleetReports reports{{kA, view(10, 10, kReady)}, {kB, view(10, 10, VersionState::Failed, "gone")}};
  EXPECT_EQ(decide(holding(), reports, kSoon), Decision(RollBack{"node b could not prepare the version: gone", {kB}}));
}

TEST(Holding, EndsForAPromotedStepOnly) {
  auto state = holding(std::nullopt, Gate::manual);
  state.deployment.promotedStep = 0;
  EXPECT_EQ(decide(state, kBothReady, kSoon), Decision(Wait{TimePoint::max()}));
  state.deployment.promotedStep = 1;
  EXPECT_EQ(decide(state, kBothReady, kSoon), Decision(Advance{2}));
}

TEST(Holding, GivesANodeThatCameBackItsTimeBeforeRoutesChange) {
  auto state = holding();
  const FleetReports reports{{kA, view(10, 10, kReady)}, {kB, view(10, 10, VersionState::Compiling)}};
  EXPECT_EQ(decide(state, reports, kHeld), Decision(Wait{kHeld + limits::kPrepareDeadline}));
  EXPECT_EQ(decide(state, reports, kHeld + limits::kPrepareDeadline),
            Decision(RollBack{"node b did not report the version ready within 60 s", {kB}}));
  state.lost = {kB};
  EXPECT_EQ(decide(state, reports, kHeld), Decision(Advance{2}));
}

TEST(HoldingWithAnalysis, MeasuresEachIntervalAndGoesOnAfterSuccess) {
  auto state = holding(error_rate_below(1));
  state.samples = errors(1000, 0);
  EXPECT_EQ(decide(state, kBothReady, kSoon), Decision(Wait{kStart + std::chrono::seconds(10)}));
  const auto measured = decide(state, kBothReady, kStart + std::chrono::seconds(10));
  ASSERT_TRUE(std::holds_alternative<Measured>(measured));
  state.deployment.analysis = std::get<Measured>(measured).run;
  EXPECT_EQ(state.deployment.analysis.successes, 1);
  EXPECT_EQ(decide(state, kBothReady, kStart + std::chrono::seconds(11)),
            Decision(Wait{kStart + std::chrono::seconds(20)}));
  EXPECT_EQ(decide(state, kBothReady, kHeld), Decision(Advance{2}));
}

TEST(HoldingWithAnalysis, TakesBackWhatFails) {
  auto state = holding(error_rate_below(1));
  state.samples = errors(1000, 500);
  const auto measured = decide(state, kBothReady, kStart + std::chrono::seconds(10));
  ASSERT_TRUE(std::holds_alternative<Measured>(measured));
  EXPECT_EQ(std::get<Measured>(measured).outcome, AnalysisOutcome::failure);
  state.deployment.analysis = std::get<Measured>(measured).run;
  const auto decision = decide(state, kBothReady, kStart + std::chrono::seconds(10));
  ASSERT_TRUE(std::holds_alternative<RollBack>(decision));
  EXPECT_TRUE(std::get<RollBack>(decision).reason.starts_with("the analysis failed: error rate 50%"));
}

TEST(HoldingWithAnalysis, AsksAPersonWhereItStaysInconclusive) {
  auto state = holding(error_rate_below(1));
  state.samples = errors(3, 0);
  // While there is time, more requests may come.
  EXPECT_EQ(decide(state, kBothReady, kStart + std::chrono::seconds(10)),
            Decision(Wait{kStart + std::chrono::seconds(20)}));
  auto now = kHeld;
  for (int look = 0; look < 3; ++look, now += std::chrono::seconds(10)) {
    const auto measured = decide(state, kBothReady, now);
    ASSERT_TRUE(std::holds_alternative<Measured>(measured));
    state.deployment.analysis = std::get<Measured>(measured).run;
  }
  EXPECT_EQ(decide(state, kBothReady, now),
            Decision(Pause{"the analysis is inconclusive: 3 of 100 requests of the new version", {}}));
}

TEST(HoldingForSignificance, GoesOnWithAWinnerAndAsksWhereThereIsNone) {
  AnalysisConfig config = error_rate_below(1);
  config.metrics[0].threshold.reset();
  config.metrics[0].tolerance = 0;
  auto state = holding(config, Gate::significant);
  state.samples = errors(1000, 1);
  state.samples.baseline = {.requests = 1000, .errors = 100, .latency = {}};
  auto measured = decide(state, kBothReady, kStart + std::chrono::seconds(10));
  ASSERT_TRUE(std::holds_alternative<Measured>(measured));
  auto winner = state;
  winner.deployment.analysis = std::get<Measured>(measured).run;
  EXPECT_EQ(decide(winner, kBothReady, kStart + std::chrono::seconds(11)), Decision(Advance{2}));

  state.samples.candidate.errors = 100;
  measured = decide(state, kBothReady, kHeld);
  ASSERT_TRUE(std::holds_alternative<Measured>(measured));
  state.deployment.analysis = std::get<Measured>(measured).run;
  EXPECT_TRUE(std::holds_alternative<Pause>(decide(state, kBothReady, kHeld)));
}

// ---- checking

RolloutState checking() {
  RolloutState state = at_step(2);
  state.deployment.plan.push_back({.kind = StepKind::Check, .nodes = {kA}, .regions = {Region("r")}});
  state.deployment.plan.push_back({.kind = StepKind::Hold, .nodes = {kA}, .regions = {Region("r")}});
  state.check_number = 50;
  return state;
}

FleetReports after_check(std::int64_t number, std::string failure, VersionState version = kReady) {
  auto report = view(10, 10, version);
  report.versions[0].checkNumber = number;
  report.versions[0].checkFailure = std::move(failure);
  return {{kA, std::move(report)}};
}

TEST(Checking, WaitsForTheRunThatItAskedFor) {
  EXPECT_EQ(decide(checking(), after_check(0, ""), kSoon), Decision(Wait{kDeadline}));
  EXPECT_EQ(decide(checking(), after_check(49, ""), kSoon), Decision(Wait{kDeadline}));
  EXPECT_EQ(decide(checking(), after_check(49, "it was ill"), kSoon), Decision(Wait{kDeadline}));
  EXPECT_EQ(decide(checking(), after_check(50, ""), kSoon), Decision(Advance{3}));
}

TEST(Checking, FailsWhereTheVersionIsIll) {
  const auto ill = decide(checking(), after_check(50, "it is ill"), kSoon);
  EXPECT_EQ(ill, Decision(RollBack{"node a is not healthy: it is ill", {kA}}));
  RolloutState pausing = checking();
  pausing.deployment.plan[2].onFailure = FailureAction::pause;
  EXPECT_EQ(decide(pausing, after_check(50, "it is ill"), kSoon),
            Decision(Pause{"node a is not healthy: it is ill", {kA}}));
}

TEST(Checking, FailsWhereNoRunIsReportedInTime) {
  EXPECT_EQ(decide(checking(), after_check(49, ""), kDeadline),
            Decision(RollBack{"node a did not report a health check within 60 s", {kA}}));
}

TEST(Checking, IsWhatADeploymentUnderWayDoesInACheckStepOnly) {
  Deployment deployment = checking().deployment;
  EXPECT_TRUE(checks(deployment));
  deployment.status = DeploymentStatus::Paused;
  EXPECT_FALSE(checks(deployment));
  deployment.status = DeploymentStatus::InProgress;
  deployment.step = 3;
  EXPECT_FALSE(checks(deployment));
  deployment.step = 4;
  EXPECT_FALSE(checks(deployment));
}

TEST(MeasurementDue, IsAnIntervalAfterTheLastOrTheEndOfATest) {
  Deployment deployment = checking().deployment;
  EXPECT_FALSE(measurement_due(deployment));
  deployment.step = 3;
  EXPECT_FALSE(measurement_due(deployment));
  Step& hold = deployment.plan[3];
  hold.analysis = AnalysisConfig{.metrics = {}, .intervalSeconds = 10};
  hold.seconds = 25;
  EXPECT_EQ(measurement_due(deployment), kStart + std::chrono::seconds(10));
  deployment.analysis.lastAt = kStart + std::chrono::seconds(20);
  EXPECT_EQ(measurement_due(deployment), kStart + std::chrono::seconds(30));
  hold.gate = Gate::significant;
  EXPECT_EQ(measurement_due(deployment), kStart + std::chrono::seconds(25));
}

TEST(Retiring, KeepsTheOldVersionForItsTime) {
  auto state = at_step(1);
  Step keep{.kind = StepKind::Retire, .nodes = {kA, kB}, .regions = {}};
  keep.seconds = 60;
  state.deployment.plan[1] = keep;
  EXPECT_EQ(decide(state, {}, kSoon), Decision(Wait{kHeld}));
  EXPECT_EQ(decide(state, {}, kHeld), Decision(Complete{}));
}

TEST(Aborting, EndsInTheRoutesBefore) {
  auto state = at_step(1);
  state.deployment.aborting = true;
  state.deployment.errorMessage = "aborted by ann";
  EXPECT_EQ(decide(state, kBothReady, kSoon), Decision(RollBack{"aborted by ann", {}}));
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
