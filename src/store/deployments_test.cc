#include "store/store_fixture.h"

namespace hotswap {
namespace {

class DeploymentRows : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (store_ == nullptr) return;
    for (const auto& tenant : {kTenant, kOther}) {
      must(store_->add_module(tenant, old_, kKeepAll));
      must(store_->add_module(tenant, new_, kKeepAll));
    }
  }
  DeploymentChange change(const Deployment& deployment, std::int64_t revision = 0, std::size_t events = 1) {
    return {kTenant, deployment, revision, std::vector<Event>(events, make_event()), {}, {}};
  }
  std::vector<std::string> ids(const DeploymentQuery& query, const TenantId& tenant = kTenant) {
    std::vector<std::string> all;
    for (const auto& item : must(store_->deployments(tenant, query)).items) all.push_back(item.deploymentId.str());
    return all;
  }

  const Module old_ = make_module("greeter", {1, 0, 0}, "old");
  const Module new_ = make_module("greeter", {1, 1, 0}, "new");
  const DeploymentId d1_{"d1"};
};

using Strings = std::vector<std::string>;

TEST_P(DeploymentRows, ReturnAllFieldsAsTheyWereApplied) {
  Deployment deployment = make_deployment("d1", new_);
  deployment.targetNodes = std::vector<NodeId>{NodeId("n1")};
  deployment.strategyConfig = json::parse(R"({"stages":[10,50.5,100],"by":"traffic"})");
  deployment.healthCheck.functionName = "check";
  deployment.startedAt = kStart + std::chrono::milliseconds(1);
  deployment.errorMessage = "none";
  deployment.previousModuleId = old_.moduleId;
  deployment.plan = {{StepKind::Prepare, {NodeId("n1")}, {}, 100}, {StepKind::Shift, {}, {Region("eu")}, 10}};
  deployment.routesBefore = {make_route(kTenant, old_, "eu")};
  deployment.regionsWithoutRouteBefore = {Region("us")};
  must(store_->apply(change(deployment)));
  const TenantDeployment stored = must(store_->deployment(kTenant, d1_));
  EXPECT_EQ(stored.tenant, kTenant);
  EXPECT_EQ(stored.revision, 1);
  EXPECT_EQ(stored.deployment, deployment);
}

TEST_P(DeploymentRows, InsertingCountsTheModulesDeployment) {
  must(store_->apply(change(make_deployment("d1", new_))));
  must(store_->apply(change(make_deployment("d1", new_, DeploymentStatus::InProgress), 1)));
  must(store_->apply(change(make_deployment("d2", new_))));
  EXPECT_EQ(must(store_->module(kTenant, new_.moduleId)).deploymentCount, 2);
  EXPECT_EQ(must(store_->module(kTenant, old_.moduleId)).deploymentCount, 0);
  EXPECT_EQ(must(store_->module(kOther, new_.moduleId)).deploymentCount, 0);
}

TEST_P(DeploymentRows, InsertingForAnUnknownModuleIsNotFound) {
  const auto result = store_->apply(change(make_deployment("d1", make_module("nobody", {1, 0, 0}))));
  EXPECT_EQ(kind_of(result), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of(store_->deployment(kTenant, d1_)), ErrorKind::kNotFound);
}

TEST_P(DeploymentRows, TheRevisionGrowsWithEverySave) {
  EXPECT_EQ(must(store_->apply(change(make_deployment("d1", new_)))).revision, 1);
  EXPECT_EQ(must(store_->apply(change(make_deployment("d1", new_, DeploymentStatus::InProgress), 1))).revision, 2);
  const TenantDeployment stored = must(store_->deployment(kTenant, d1_));
  EXPECT_EQ(stored.revision, 2);
  EXPECT_EQ(stored.deployment.status, DeploymentStatus::InProgress);
}

TEST_P(DeploymentRows, AChangeFromAnOldRevisionIsAConflictAndLeavesNothing) {
  must(store_->apply(change(make_deployment("d1", new_))));
  for (const std::int64_t wrong : {0, 2}) {
    DeploymentChange late = change(make_deployment("d1", new_, DeploymentStatus::Failed), wrong, 3);
    late.putRoutes = {make_route(kTenant, new_, "eu")};
    EXPECT_EQ(kind_of(store_->apply(late)), ErrorKind::kConflict);
  }
  EXPECT_EQ(kind_of(store_->apply(change(make_deployment("unknown", new_), 1))), ErrorKind::kConflict);
  EXPECT_EQ(must(store_->deployment(kTenant, d1_)).deployment.status, DeploymentStatus::Pending);
  EXPECT_TRUE(must(store_->all_routes()).routes.empty());
  const AppliedChange next = must(store_->apply(change(make_deployment("d1", new_), 1)));
  EXPECT_EQ(next.events.front().sequence, 2);  // the refused changes took no number
}

TEST_P(DeploymentRows, EventsAreNumberedPerTenantWithoutGaps) {
  const AppliedChange first = must(store_->apply(change(make_deployment("d1", new_), 0, 2)));
  const AppliedChange second = must(store_->apply(change(make_deployment("d2", new_), 0, 1)));
  DeploymentChange foreign = change(make_deployment("d1", new_), 0, 1);
  foreign.tenant = kOther;
  const AppliedChange third = must(store_->apply(foreign));
  const AppliedChange fourth = must(store_->apply(change(make_deployment("d1", new_), 1, 2)));
  EXPECT_EQ(first.events[0].sequence, 1);
  EXPECT_EQ(first.events[1].sequence, 2);
  EXPECT_EQ(second.events[0].sequence, 3);
  EXPECT_EQ(third.events[0].sequence, 1);
  EXPECT_EQ(fourth.events[0].sequence, 4);
  EXPECT_EQ(fourth.events[1].sequence, 5);
}

TEST_P(DeploymentRows, EventsAreReadBackInOrderAfterASequence) {
  DeploymentChange with_detail = change(make_deployment("d1", new_), 0, 3);
  with_detail.events[1].type = EventType::StepStarted;
  with_detail.events[1].traceId = "0af7651916cd43dd8448eb211c80319c";
  with_detail.events[1].detail = json::parse(R"({"step":1,"nodes":["n1"]})");
  const auto applied = must(store_->apply(with_detail)).events;
  must(store_->apply(change(make_deployment("d2", new_))));
  EXPECT_EQ(must(store_->events(kTenant, d1_, 0, 100)), applied);
  EXPECT_EQ(must(store_->events(kTenant, d1_, 1, 1)), std::vector<Event>{applied[1]});
  EXPECT_TRUE(must(store_->events(kTenant, d1_, 3, 100)).empty());
  EXPECT_EQ(kind_of(store_->events(kTenant, DeploymentId("unknown"), 0, 100)), ErrorKind::kNotFound);
}

TEST_P(DeploymentRows, AreInvisibleToOtherTenants) {
  must(store_->apply(change(make_deployment("d1", new_))));
  EXPECT_EQ(kind_of(store_->deployment(kOther, d1_)), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of(store_->events(kOther, d1_, 0, 10)), ErrorKind::kNotFound);
  EXPECT_TRUE(ids({}, kOther).empty());
  DeploymentChange foreign = change(make_deployment("d1", new_, DeploymentStatus::Cancelled), 1);
  foreign.tenant = kOther;
  EXPECT_EQ(kind_of(store_->apply(foreign)), ErrorKind::kConflict);
  foreign.expectedRevision = 0;
  must(store_->apply(foreign));  // its own deployment of the same id
  EXPECT_EQ(must(store_->deployment(kTenant, d1_)).deployment.status, DeploymentStatus::Pending);
}

TEST_P(DeploymentRows, ARouteOfAnotherTenantIsRefused) {
  DeploymentChange bad = change(make_deployment("d1", new_));
  bad.putRoutes = {make_route(kOther, new_, "eu")};
  EXPECT_EQ(kind_of(store_->apply(bad)), ErrorKind::kInternal);
  bad.putRoutes.clear();
  bad.dropRoutes = {make_route(kOther, new_, "eu")};
  EXPECT_EQ(kind_of(store_->apply(bad)), ErrorKind::kInternal);
  EXPECT_EQ(kind_of(store_->deployment(kTenant, d1_)), ErrorKind::kNotFound);
}

TEST_P(DeploymentRows, AreListedNewestFirstInPages) {
  for (int i = 0; i < 11; ++i) {
    Deployment deployment = make_deployment("d" + std::to_string(i), new_);
    deployment.createdAt = kStart + std::chrono::seconds(i / 3);  // some at the same instant
    must(store_->apply(change(deployment)));
  }
  const Strings whole = ids({.limit = 100});
  EXPECT_EQ(whole, (Strings{"d9", "d10", "d8", "d7", "d6", "d5", "d4", "d3", "d2", "d1", "d0"}));
  Strings joined;
  DeploymentQuery query{.limit = 4};
  do {
    const Page<Deployment> page = must(store_->deployments(kTenant, query));
    for (const auto& item : page.items) joined.push_back(item.deploymentId.str());
    query.cursor = page.nextCursor;
  } while (query.cursor && joined.size() < 20);
  EXPECT_EQ(joined, whole);
}

TEST_P(DeploymentRows, AreFilteredByStatusNameAndModule) {
  const Module other = make_module("other", {1, 0, 0});
  must(store_->add_module(kTenant, other, kKeepAll));
  must(store_->apply(change(make_deployment("d1", old_, DeploymentStatus::Completed))));
  must(store_->apply(change(make_deployment("d2", new_))));
  must(store_->apply(change(make_deployment("d3", other))));
  EXPECT_EQ(ids({.status = DeploymentStatus::Completed}), Strings{"d1"});
  EXPECT_EQ(ids({.moduleName = "greeter"}), (Strings{"d2", "d1"}));
  EXPECT_EQ(ids({.moduleId = new_.moduleId}), Strings{"d2"});
  EXPECT_TRUE(ids({.status = DeploymentStatus::Completed, .moduleName = "other"}).empty());
}

TEST_P(DeploymentRows, ACursorOfAnotherQueryIsRefused) {
  for (const char* id : {"d1", "d2", "d3"}) must(store_->apply(change(make_deployment(id, new_))));
  const auto cursor = must(store_->deployments(kTenant, {.limit = 1})).nextCursor;
  ASSERT_TRUE(cursor.has_value());
  for (const auto& query : {DeploymentQuery{.moduleName = "greeter", .cursor = cursor}, {.cursor = "x"}}) {
    const auto result = store_->deployments(kTenant, query);
    ASSERT_EQ(kind_of(result), ErrorKind::kInvalid);
    EXPECT_EQ(result.error().fields.front().field, "cursor");
  }
  EXPECT_EQ(kind_of(store_->modules(kTenant, {.cursor = cursor})), ErrorKind::kInvalid);
}

TEST_P(DeploymentRows, UnfinishedOnesOfAllTenantsAreFound) {
  must(store_->apply(change(make_deployment("done", new_, DeploymentStatus::Completed))));
  must(store_->apply(change(make_deployment("d1", new_))));
  DeploymentChange foreign = change(make_deployment("d2", new_, DeploymentStatus::Paused));
  foreign.tenant = kOther;
  must(store_->apply(foreign));
  must(store_->apply(change(make_deployment("d1", new_, DeploymentStatus::InProgress), 1)));
  auto found = must(store_->all_unfinished_deployments());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].deployment.deploymentId.str(), "d1");
  EXPECT_EQ(found[0].revision, 2);
  EXPECT_EQ(found[1].tenant, kOther);
  must(store_->apply(change(make_deployment("d1", new_, DeploymentStatus::RolledBack), 2)));
  EXPECT_EQ(must(store_->all_unfinished_deployments()).size(), 1u);
}

TEST_P(DeploymentRows, RoutesArePutReplacedAndDroppedAndTheRevisionGrows) {
  EXPECT_EQ(must(store_->all_routes()).revision, 0);
  DeploymentChange first = change(make_deployment("d1", old_));
  first.putRoutes = {make_route(kTenant, old_, "eu"), make_route(kTenant, old_, "us")};
  EXPECT_EQ(must(store_->apply(first)).routeRevision, 1);
  EXPECT_EQ(must(store_->all_routes()).routes, first.putRoutes);

  DeploymentChange second = change(make_deployment("d2", new_));
  Route split = make_route(kTenant, new_, "eu");
  split.versions = {{old_.moduleId, 90}, {new_.moduleId, 10}};
  split.http.host = "example.com";
  second.putRoutes = {split};
  second.dropRoutes = {make_route(kTenant, old_, "us")};
  EXPECT_EQ(must(store_->apply(second)).routeRevision, 2);
  const Store::Routes routes = must(store_->all_routes());
  EXPECT_EQ(routes.revision, 2);
  EXPECT_EQ(routes.routes, std::vector<Route>{split});

  EXPECT_EQ(must(store_->apply(change(make_deployment("d3", new_)))).routeRevision, 2);
}

TEST_P(DeploymentRows, RoutesOfTwoTenantsWithTheSameNameStandBesideEachOther) {
  DeploymentChange mine = change(make_deployment("d1", old_));
  mine.putRoutes = {make_route(kTenant, old_, "eu")};
  must(store_->apply(mine));
  DeploymentChange theirs = change(make_deployment("d1", new_));
  theirs.tenant = kOther;
  theirs.putRoutes = {make_route(kOther, new_, "eu")};
  must(store_->apply(theirs));
  EXPECT_EQ(must(store_->all_routes()).routes.size(), 2u);
  DeploymentChange drop = change(make_deployment("d1", old_), 1);
  drop.dropRoutes = mine.putRoutes;
  must(store_->apply(drop));
  EXPECT_EQ(must(store_->all_routes()).routes, theirs.putRoutes);
}

TEST_P(DeploymentRows, ARouteToARemovedModuleIsAConflictAndLeavesNothing) {
  DeploymentChange bad = change(make_deployment("d1", new_));
  bad.putRoutes = {make_route(kTenant, make_module("gone", {1, 0, 0}), "eu")};
  const auto result = store_->apply(bad);
  ASSERT_EQ(kind_of(result), ErrorKind::kConflict);
  EXPECT_THAT(result.error().detail, testing::HasSubstr("gone-v1.0.0"));
  EXPECT_EQ(kind_of(store_->deployment(kTenant, d1_)), ErrorKind::kNotFound);
}

TEST_P(DeploymentRows, AnUnfinishedOneKeepsTheVersionsThatItMayReturnTo) {
  Deployment deployment = make_deployment("d1", new_, DeploymentStatus::InProgress);
  deployment.routesBefore = {make_route(kTenant, old_, "eu")};
  must(store_->apply(change(deployment)));
  EXPECT_EQ(kind_of(store_->remove_module(kTenant, old_.moduleId)), ErrorKind::kConflict);
  EXPECT_EQ(kind_of(store_->remove_module(kTenant, new_.moduleId)), ErrorKind::kConflict);
  deployment.status = DeploymentStatus::Cancelled;
  must(store_->apply(change(deployment, 1)));
  must(store_->remove_module(kTenant, old_.moduleId));
  must(store_->remove_module(kTenant, new_.moduleId));
  EXPECT_EQ(must(store_->deployment(kTenant, d1_)).deployment, deployment);  // history stays
}

TEST_P(DeploymentRows, AReplacedRouteSetsItsOldVersionFree) {
  DeploymentChange first = change(make_deployment("d1", old_, DeploymentStatus::Completed));
  first.putRoutes = {make_route(kTenant, old_, "eu")};
  must(store_->apply(first));
  EXPECT_EQ(kind_of(store_->remove_module(kTenant, old_.moduleId)), ErrorKind::kConflict);
  DeploymentChange second = change(make_deployment("d2", new_, DeploymentStatus::Completed));
  second.putRoutes = {make_route(kTenant, new_, "eu")};
  must(store_->apply(second));
  must(store_->remove_module(kTenant, old_.moduleId));
}

TEST_P(DeploymentRows, EverythingSurvivesReopening) {
  DeploymentChange first = change(make_deployment("d1", new_), 0, 2);
  first.putRoutes = {make_route(kTenant, new_, "eu")};
  const AppliedChange applied = must(store_->apply(first));
  store_.reset();
  store_ = open();
  EXPECT_EQ(must(store_->deployment(kTenant, d1_)).deployment, first.deployment);
  EXPECT_EQ(must(store_->events(kTenant, d1_, 0, 10)), applied.events);
  EXPECT_EQ(must(store_->all_routes()).routes, first.putRoutes);
  EXPECT_EQ(must(store_->apply(change(make_deployment("d2", new_)))).events.front().sequence, 3);
}

HOTSWAP_ON_BOTH_DATABASES(DeploymentRows);

}  // namespace
}  // namespace hotswap
