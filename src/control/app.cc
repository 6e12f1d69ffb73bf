#include "control/app.h"

#include <boost/asio/co_spawn.hpp>

#include "base/log.h"
#include "control/api.h"
#include "control/driver.h"
#include "control/fleet.h"
#include "control/publication.h"
#include "control/registry.h"
#include "control/signal.h"

namespace hotswap::control {
namespace {

std::vector<Region> regions_of(const Options& options) {
  std::vector<Region> regions;
  for (const auto& setting : options.regions) regions.push_back(setting.region);
  return regions;
}

// See Publication for why the clock.
std::int64_t first_revision(const Clock& clock) { return clock.now().time_since_epoch().count() * 1000; }

}  // namespace

// In the order of construction: each part knows only those above it.
struct App::Wiring {
  Wiring(const asio::any_io_executor& executor, Options chosen, Parts given)
      : home(asio::make_strand(executor)),
        options(std::move(chosen)),
        parts(given),
        transfers("transfers", options.download_threads) {}

  Home home;
  const Options options;
  const Parts parts;
  BlockingPool transfers;

  Signal reported{home.executor()};
  Signal ended{home.executor()};
  Publication publication{first_revision(parts.clock), regions_of(options)};
  Fleet fleet{home.executor(), options, publication, reported, parts.clock, parts.metrics};
  Driver driver{home.executor(),
                options,
                {.store = parts.store,
                 .pool = parts.pool,
                 .clock = parts.clock,
                 .random = parts.random,
                 .tracer = parts.tracer,
                 .metrics = parts.metrics},
                publication,
                fleet,
                reported};
  Registry registry{options,
                    {.store = parts.store,
                     .blobs = parts.blobs,
                     .inspector = parts.inspector,
                     .pool = parts.pool,
                     .cpu = parts.cpu,
                     .clock = parts.clock,
                     .tracer = parts.tracer,
                     .metrics = parts.metrics}};
  ModulesApi modules{{.store = parts.store,
                      .blobs = parts.blobs,
                      .pool = parts.pool,
                      .transfers = transfers,
                      .clock = parts.clock,
                      .registry = registry}};
  DeploymentsApi deployments{{.home = home, .driver = driver, .store = parts.store, .pool = parts.pool}};
  FleetApi fleet_api{{.home = home,
                      .fleet = fleet,
                      .store = parts.store,
                      .pool = parts.pool,
                      .metrics = parts.metrics,
                      .options = options}};
  bool driving = false;

  Task<Result<>> start() {
    HS_CO_CHECK(co_await registry.recover());
    HS_CO_CHECK(co_await driver.load());
    driving = true;
    asio::co_spawn(home.executor(), driver.run(), [this](const std::exception_ptr& thrown) {
      driving = false;
      ended.notify();
      if (thrown) std::rethrow_exception(thrown);
    });
    co_return Result<>{};
  }

  Task<void> stop() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    fleet.stop();
    driver.stop();
    while (driving) co_await ended.wait(ended.count(), std::chrono::steady_clock::time_point::max());
    co_await home.alone();
  }
};

App::App(asio::any_io_executor home, Options options, Parts parts)
    : wiring_(std::make_unique<Wiring>(std::move(home), std::move(options), parts)) {}

App::~App() = default;

void App::mount(net::Router& router) {
  control::mount(router, wiring_->options,
                 {.modules = wiring_->modules, .deployments = wiring_->deployments, .fleet = wiring_->fleet_api});
}

Task<Result<>> App::start() { co_return co_await wiring_->home.run(wiring_->start()); }

Task<void> App::stop() { co_await wiring_->home.run(wiring_->stop()); }

Task<Result<DesiredState>> App::desired_state(NodeId node, std::int64_t after, Region region) {
  co_return co_await wiring_->home.run(wiring_->fleet.desired_state(std::move(node), after, std::move(region)));
}

Task<Result<>> App::report(NodeReport report) {
  co_return co_await wiring_->home.run([](Fleet& fleet, NodeReport sent) -> Task<Result<>> {
    co_return fleet.report(std::move(sent));
  }(wiring_->fleet, std::move(report)));
}

Task<Result<>> App::fetch(Digest digest, std::function<Result<>(std::span<const std::byte>)> sink) {
  co_return co_await wiring_->transfers.run([&] { return wiring_->parts.blobs.read(digest, sink); });
}

Task<Result<>> App::count_invocations(std::vector<Store::InvocationCount> counts) {
  co_return co_await wiring_->parts.pool.run([&] { return wiring_->parts.store.add_invocations(counts); });
}

}  // namespace hotswap::control
