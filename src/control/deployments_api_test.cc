#include "control/control_fixture.h"

namespace hotswap::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<EventType> types(const std::vector<Event>& events) {
  std::vector<EventType> all;
  for (const auto& event : events) all.push_back(event.type);
  return all;
}

TEST(Deploying, BringsAnUploadIntoServiceWithOneEventForEachTransition) {
  Platform platform;
  TestNode node(platform, "node-1");
  const std::string id = platform.create("greeter", "1.0.0");
  EXPECT_EQ(platform.deployment(id).status, DeploymentStatus::Pending);

  const Reply executed = platform.verb(id, "execute");
  EXPECT_EQ(executed.status, 202U) << executed.body;
  const Deployment done = platform.wait_finished(id);
  EXPECT_EQ(done.status, DeploymentStatus::Completed) << done.errorMessage.value_or("");
  EXPECT_EQ(done.progressPercent, 100);
  EXPECT_THAT(done.succeededNodes, ElementsAre(NodeId("node-1")));
  EXPECT_TRUE(done.startedAt && done.completedAt);
  EXPECT_THAT(types(platform.events(id)),
              ElementsAre(EventType::DeploymentCreated, EventType::DeploymentStarted, EventType::StepStarted,
                          EventType::StepCompleted, EventType::StepStarted, EventType::RoutesChanged,
                          EventType::StepCompleted, EventType::DeploymentCompleted));
  ASSERT_EQ(platform.routes().size(), 1U);
  EXPECT_THAT(platform.routes()[0].versions, ElementsAre(WeightedVersion{ModuleId("greeter-v1.0.0"), 100}));
  EXPECT_EQ(platform.routes()[0].http.pathPrefix, "/m/greeter/");
  EXPECT_TRUE(node.serves("greeter-v1.0.0"));
  EXPECT_EQ(node.unready_routes(), 0);
}

}  // namespace
}  // namespace hotswap::control
