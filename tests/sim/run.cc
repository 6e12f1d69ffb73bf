#include "run.h"

#include <fmt/format.h>

#include <array>

#include "invariants.h"

namespace hotswap::sim {
namespace {

constexpr milliseconds kTroubled{90'000};  // faults happen until then
constexpr milliseconds kCalm{600'000};     // and by then everything has ended

struct Way {
  DeploymentStrategy strategy;
  std::string_view config;
};

// Short holds; every kind of step, of gate and of outcome.
constexpr std::array kWays{
    Way{DeploymentStrategy::AllAtOnce, "{}"},
    Way{DeploymentStrategy::AllAtOnce,
        R"({"holdSeconds": 3, "rollbackOnErrorRate": 5, "shadow": {"holdSeconds": 1, "minimumRequests": 1}})"},
    Way{DeploymentStrategy::Canary, R"({"stages": [10, 50, 100], "holdSeconds": 3})"},
    Way{DeploymentStrategy::Canary,
        R"({"stages": [5, 30, 100], "holdSeconds": 4, "abortGradually": true, "abortHoldSeconds": 2,
            "analysis": {"metrics": [{"metric": "errorRate", "threshold": 5}], "intervalSeconds": 1}})"},
    Way{DeploymentStrategy::Canary, R"({"stages": [20, 60, 100], "by": "nodes", "progression": "manual"})"},
    Way{DeploymentStrategy::BlueGreen,
        R"({"testDurationSeconds": 2, "preview": {"pathPrefix": "/green/"}, "keepBlueSeconds": 5})"},
    Way{DeploymentStrategy::BlueGreen, R"({"progression": "manual", "keepBlue": false})"},
    Way{DeploymentStrategy::Rolling, R"({"batchSize": 1, "batchDurationSeconds": 1, "onFailure": "rollback"})"},
    Way{DeploymentStrategy::Rolling, R"({"batchSize": "40%", "batchDurationSeconds": 0, "maxUnavailable": "50%"})"},
    Way{DeploymentStrategy::Regional, R"({"holdSeconds": 2})"},
    Way{DeploymentStrategy::Regional,
        R"({"strategy": "Canary", "strategyConfig": {"stages": [25, 100], "holdSeconds": 2}, "holdSeconds": 1,
            "rollback": "all"})"},
    Way{DeploymentStrategy::ABTesting, R"({"weights": [70, 30]})"},
    Way{DeploymentStrategy::ABTesting,
        R"({"promotion": "whenSignificant", "maximumSeconds": 20,
            "analysis": {"metrics": [{"metric": "errorRate", "tolerance": 0}], "intervalSeconds": 2}})"},
};

class Fleet {
 public:
  explicit Fleet(const Scenario& scenario)
      : world_(scenario),
        store_(world_),
        control_(world_, store_, regions(scenario)),
        invariants_(world_, store_, control_, nodes_) {
    const auto all = regions(scenario);
    for (int i = 0; i < scenario.nodes; ++i) {
      const Region& region = all[static_cast<std::size_t>(i) % all.size()];
      nodes_.push_back(std::make_unique<Node>(world_, control_, NodeId(fmt::format("n{}", i)), region));
    }
    store_.observe([this](const auto& before, const auto& change) { invariants_.changed(before, change); });
  }

  std::optional<Failure> run() {
    try {
      control_.start();
      for (auto& node : nodes_) node->start();
      deploy(0);
      trouble();
      world_.run_until(world_.now() + kTroubled, [this] { watch(); });
      world_.calm();
      world_.mend_all();
      world_.note("from here on nothing goes wrong");
      for (auto& node : nodes_) node->start();
      tend();
      world_.run_until(world_.now() + kCalm, [this] { watch(); });
      invariants_.at_the_end();
    } catch (const Violation& violation) {
      return Failure{violation.what(), world_.notes()};
    }
    return std::nullopt;
  }

 private:
  static std::vector<Region> regions(const Scenario& scenario) {
    std::vector<Region> all;
    for (int i = 0; i < scenario.regions; ++i) all.emplace_back(fmt::format("r{}", i));
    return all;
  }

  void watch() {
    invariants_.always();
    if (!control_.up() && !restarting_) {
      restarting_ = true;
      world_.after(world_.between(10, 3000), [this] {
        restarting_ = false;
        control_.start();
      });
    }
  }

  // People create and execute deployments, one after the other, and ask again where nobody answers.
  void deploy(int number) {
    if (number == world_.scenario().deployments) return;
    world_.after(world_.between(500, 15'000), [this, number] {
      const DeploymentId id(fmt::format("d{}", number));
      if (!store_.deployments().contains(id)) create(number, id);
      if (store_.deployments().contains(id)) std::ignore = control_.execute(id);
      const bool executed =
          store_.deployments().contains(id) && store_.deployment(id).deployment.status != DeploymentStatus::Pending;
      const bool hopeless = world_.is_calm();
      deploy(executed || hopeless ? number + 1 : number);
    });
  }

  void create(int number, const DeploymentId& id) {
    const Way& way = kWays[world_.below(kWays.size())];
    Deployment deployment;
    deployment.deploymentId = id;
    deployment.moduleName = fmt::format("m{}", world_.below(2));
    deployment.moduleId = ModuleId(fmt::format("{}-v{}.0.0", deployment.moduleName, number + 1));
    deployment.strategy = way.strategy;
    deployment.strategyConfig = json::parse(way.config);
    deployment.autoRollbackEnabled = !world_.one_in(3);
    deployment.http = default_binding(deployment.moduleName);
    deployment.createdAt = world_.now();
    deployment.createdBy = "ann";
    const auto all = regions(world_.scenario());
    for (const auto& region : all) {
      if (!world_.one_in(3)) deployment.targetRegions.push_back(region);
    }
    if (deployment.targetRegions.empty()) deployment.targetRegions = all;
    if (control_.create(std::move(deployment))) {
      world_.note(fmt::format("{} is {} {}", id.str(), enum_name(way.strategy), way.config));
    }
  }

  void trouble() {
    world_.after(world_.between(100, 4000), [this] {
      if (world_.is_calm()) return;
      const Scenario& scenario = world_.scenario();
      Node& node = *nodes_[world_.below(nodes_.size())];
      switch (world_.below(4)) {
        case 0:
          if (scenario.node_crashes && world_.one_in(2)) {
            node.crash();
            world_.after(world_.between(100, 30'000), [&node] { node.start(); });
          }
          break;
        case 1:
          if (scenario.partitions && world_.one_in(2)) {
            world_.note(node.id().str() + " is cut off");
            world_.cut(node.id());
            world_.after(world_.between(100, 30'000), [this, &node] { world_.mend(node.id()); });
          }
          break;
        case 2:
          if (scenario.control_crashes && world_.one_in(4)) control_.crash();
          break;
        default:
          if (scenario.verbs && !store_.deployments().empty()) meddle();
      }
      trouble();
    });
  }

  // Somebody asks for anything, of any deployment, often twice.
  void meddle() {
    const DeploymentId id(fmt::format("d{}", world_.below(store_.deployments().size())));
    if (!store_.deployments().contains(id)) return;
    const auto verb = world_.below(9);
    const bool gradual = world_.one_in(2);
    for (std::uint64_t times = 1 + world_.below(2); times > 0; --times) {
      switch (verb) {
        case 0:
          std::ignore = control_.ask(id, &control::pause);
          break;
        case 1:
          std::ignore = control_.ask(id, &control::resume);
          break;
        case 2:
        case 3:
          promote(id);
          break;
        case 4:
          std::ignore = control_.ask(id, &control::promote_fully);
          break;
        case 5:
          std::ignore = control_.ask(id, [gradual](const TenantDeployment& from, const control::Cause& cause) {
            return control::abort(from, {.gradual = gradual}, cause);
          });
          break;
        case 6:
          std::ignore = control_.rollback(id);
          // At once again: what nodes said of the first try must not count for the second.
          if (gradual) std::ignore = control_.retry(id);
          break;
        case 7:
          std::ignore = control_.retry(id);
          break;
        default:
          std::ignore = control_.ask(id, &control::cancel);
      }
    }
  }

  void promote(const DeploymentId& id) {
    std::ignore = control_.ask(id, [](const TenantDeployment& from, const control::Cause& cause) {
      return control::promote(from, {.step = from.deployment.step}, cause);
    });
  }

  // When all is calm, whoever is asked answers.
  void tend() {
    world_.after(milliseconds(5000), [this] {
      for (const auto& [id, stored] : store_.deployments()) {
        if (stored.deployment.status == DeploymentStatus::Paused) {
          std::ignore = control_.ask(id, [](const TenantDeployment& from, const control::Cause& cause) {
            return control::abort(from, {.gradual = false}, cause);
          });
        } else if (stored.deployment.status == DeploymentStatus::InProgress) {
          promote(id);
        }
      }
      tend();
    });
  }

  World world_;
  MemoryStore store_;
  Control control_;
  std::vector<std::unique_ptr<Node>> nodes_;
  Invariants invariants_;
  bool restarting_ = false;
};

}  // namespace

std::optional<Failure> run(const Scenario& scenario) { return Fleet(scenario).run(); }

}  // namespace hotswap::sim
