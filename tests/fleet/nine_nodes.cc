#include "fleet/nine_nodes.h"

#include <algorithm>

namespace hotswap::e2e {
namespace {

constexpr const char* kDeployments = "/api/v1/wasm/deployments/";

std::string text(const json::value& object, const char* member) {
  const auto* found = object.is_object() ? object.get_object().if_contains(member) : nullptr;
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

}  // namespace

NineNodes::NineNodes()
    : control_(folder_.path() + "/control", {"--regions", "us-east,eu-west,ap-south", "--deployments-per-hour", "0"}) {
  for (const char* region : {"us-east", "eu-west", "ap-south"}) {
    for (const char* zone : {"a", "b", "c"}) {
      const std::string id = std::string(region) + "-" + zone;
      nodes_.push_back(std::make_unique<NodeProcess>(
          folder_.path() + "/" + id,
          NodeProcess::Wish{.control = control_.api(), .node = id, .token = token_, .region = region, .zone = zone}));
    }
  }
  for (const auto& node : nodes_) {
    EXPECT_TRUE(eventually([&] { return control_.condition(node->id()) == "Healthy"; })) << node->id();
  }
  control_.release("c-add", "add", "1.0.0");
}

std::string NineNodes::begin(const Strategy& how) {
  ++version_;
  control_.hotswap(
      {"module", "push", sample("c-add"), "--name", "add", "--version", std::to_string(version_) + ".0.0"});
  // A control plane that was started again plans with the nodes that it has heard of since.
  EXPECT_TRUE(eventually([this] {
    return std::ranges::all_of(nodes_,
                               [this](const auto& node) { return control_.condition(node->id()) == "Healthy"; });
  }));
  const json::object wish{{"moduleId", newest()},
                          {"targetRegions", {"all"}},
                          {"strategy", how.name},
                          {"strategyConfig", json::parse(how.config)}};
  const auto made = ask(control_.api(), "POST", "/api/v1/wasm/deployments", json::serialize(wish));
  const std::string id = text(made, "deploymentId");
  EXPECT_NE(id, "") << json::serialize(made);
  const auto begun = ask(control_.api(), "POST", kDeployments + id + "/execute");
  EXPECT_EQ(text(begun, "deploymentId"), id) << json::serialize(begun);
  return id;
}

json::value NineNodes::deployment(const std::string& id) const { return ask(control_.api(), "GET", kDeployments + id); }

std::string NineNodes::status(const std::string& id) const { return text(deployment(id), "status"); }

void NineNodes::let_on(const std::string& id, const json::value& shown) const {
  if (text(shown, "status") != "InProgress") return;
  const auto step = static_cast<std::size_t>(shown.at("step").as_int64());
  const auto& plan = shown.at("plan").as_array();
  if (step >= plan.size() || plan[step].at("kind") != "Hold" || plan[step].at("gate") != "manual") return;
  std::ignore =
      ask(control_.api(), "POST", kDeployments + id + "/promote", json::serialize(json::object{{"step", step}}));
}

bool NineNodes::reached(const std::string& id, int step) const {
  const auto shown = deployment(id);
  if (!shown.is_object()) return false;
  if (shown.at("step").as_int64() >= step) return true;
  let_on(id, shown);
  return false;
}

bool NineNodes::ended(const std::string& id) const {
  const auto shown = deployment(id);
  if (!shown.is_object()) return false;
  let_on(id, shown);
  const std::string now = text(shown, "status");
  return now != "InProgress" && now != "Pending";
}

bool NineNodes::answers(const NodeProcess& node, const std::string& module_id) {
  const auto answer = node.add(2, 3);
  return text(answer, "moduleId") == module_id && answer.at("returnValue") == 5;
}

bool NineNodes::everywhere(const std::string& module_id) const {
  return std::ranges::all_of(nodes_, [&](const auto& node) { return answers(*node, module_id); });
}

std::string NineNodes::answers_of_all() const {
  std::string all;
  for (const auto& node : nodes_) {
    all += node->id() + ": " + json::serialize(node->add(2, 3)) + '\n' +
           json::serialize(ask(control_.api(), "GET", "/api/v1/wasm/nodes/" + node->id())) + '\n';
  }
  return all;
}

}  // namespace hotswap::e2e
