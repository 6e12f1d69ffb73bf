// How long the control plane needs to decide anew where everything shall be: 1,000 nodes in ten regions, and every one
// of 10,000 modules with three copies in each region. Before each round one node of every region is lost, or comes
// back, so that its copies move. Prints one JSON object.
#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>

#include "control/fleet.h"
#include "store/store.h"

namespace hotswap::control {
namespace {

constexpr int kRegions = 10;
constexpr int kZones = 3;

struct Size {
  int nodes = 1'000;
  int modules = 10'000;
  int replicas = 3;
  int rounds = 5;
};

Region region(int index) { return Region(fmt::format("region-{}", index % kRegions)); }
NodeId node(int index) { return NodeId(fmt::format("node-{:04}", index)); }
TenantId tenant() { return TenantId("default"); }
ModuleId version(int index) { return ModuleId(fmt::format("module-{:05}-v1.0.0", index)); }

class Round {
 public:
  Round(const Size& size, const std::string& store)
      : size_(size), options_(options_of(size)), store_(*open_store({.url = "sqlite://" + store})) {
    for (int i = 0; i < size.nodes; ++i) introduce(i);
    fleet_.expect_registered();
    Publication::Change change;
    for (int in = 0; in < kRegions; ++in) {
      for (int i = 0; i < size.modules; ++i) change.put.push_back(routed(i, region(in)));
    }
    publication_.apply(std::move(change));
    hear_all(0);
    fleet_.published();
    // Each has what it shall hold, and reports it ready.
    for (int i = 0; i < size_.nodes; ++i) learn(i);
    hear_all(0);
    hear_all(0);
    fleet_.published();
  }

  json::object measure() {
    json::array seconds;
    for (int i = 0; i < size_.rounds; ++i) {
      const bool lose = i % 2 == 0;
      clock_.advance(options_.liveness.unhealthy_after);
      hear_all(lose ? kRegions : 0);
      hear_all(lose ? kRegions : 0);
      const std::int64_t before = publication_.revision();
      const auto started = std::chrono::steady_clock::now();
      fleet_.published();
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
      if (publication_.revision() == before) throw std::runtime_error("the round changed nothing");
    }
    return {{"seconds", std::move(seconds)}};
  }

 private:
  static Options options_of(const Size& size) {
    Options options;
    options.regions.clear();
    for (int i = 0; i < kRegions; ++i) options.regions.push_back({.region = region(i), .replicas = size.replicas});
    options.simultaneous_moves = limits::kModulesPerCluster;
    return options;
  }

  static RoutedVersions routed(int index, const Region& in) {
    DesiredVersion made;
    made.tenant = tenant();
    made.moduleId = version(index);
    made.name = fmt::format("module-{:05}", index);
    Route route{.tenant = made.tenant,
                .name = made.name,
                .region = in,
                .versions = {{made.moduleId, 100}},
                .http = default_binding(made.name)};
    return {.route = std::move(route), .versions = {std::make_shared<const DesiredVersion>(std::move(made))}};
  }

  template <class T>
  T finish(Task<Result<T>> task) {
    auto done = asio::co_spawn(io_, std::move(task), asio::use_future);
    io_.restart();
    while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) io_.run_one();
    auto result = done.get();
    if (!result) throw std::runtime_error(result.error().detail);
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }

  void introduce(int index) {
    NodeDescription about;
    about.nodeId = node(index);
    about.hostname = "127.0.0.1";
    about.region = region(index);
    about.zone = std::string(1, static_cast<char>('a' + index / kRegions % kZones));
    about.runtimeVersion = "0";
    finish(registry_.introduce(std::move(about)));
    reports_.push_back({.nodeId = node(index), .region = region(index), .versions = {}});
  }

  void learn(int index) {
    const auto polled = finish(fleet_.poll({.node = node(index)}));
    for (const auto& wanted : polled.now->versions) {
      reports_[static_cast<std::size_t>(index)].versions.push_back(
          {wanted.tenant, wanted.moduleId, VersionState::Ready, ""});
    }
  }

  // From that node on.
  void hear_all(int first) {
    for (std::size_t i = static_cast<std::size_t>(first); i < reports_.size(); ++i) {
      if (!fleet_.report(reports_[i])) throw std::runtime_error("a report was refused");
    }
  }

  std::vector<Region> regions() const {
    std::vector<Region> all;
    for (const auto& setting : options_.regions) all.push_back(setting.region);
    return all;
  }

  const Size size_;
  const Options options_;
  asio::io_context io_{1};
  std::unique_ptr<Store> store_;
  BlockingPool pool_{"sql", 1};
  ManualClock clock_{TimePoint(std::chrono::hours(500'000))};
  SeededRandom random_{1};
  Metrics metrics_;
  Signal changed_{io_.get_executor()};
  NodeRegistry registry_{
      io_.get_executor(), options_, {.store = *store_, .pool = pool_, .clock = clock_, .random = random_}, changed_};
  Publication publication_{1, regions()};
  Fleet fleet_{io_.get_executor(), options_, publication_, registry_, changed_, clock_, metrics_};
  std::vector<NodeReport> reports_;
};

}  // namespace
}  // namespace hotswap::control

int main(int argc, char** argv) {
  hotswap::control::Size size;
  std::filesystem::path store;
  CLI::App app("A decision round");
  app.add_option("--store", store, "SQLite file, which must not exist")->required();
  app.add_option("--nodes", size.nodes);
  app.add_option("--modules", size.modules);
  app.add_option("--replicas", size.replicas);
  app.add_option("--rounds", size.rounds);
  CLI11_PARSE(app, argc, argv);
  hotswap::control::Round round(size, std::filesystem::absolute(store).string());
  fmt::print("{}\n", boost::json::serialize(round.measure()));
}
