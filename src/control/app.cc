#include "control/app.h"

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "control/api.h"
#include "control/driver.h"
#include "control/fleet.h"
#include "control/interfaces.h"
#include "control/mailer.h"
#include "control/publication.h"
#include "control/registry.h"
#include "control/scaler.h"
#include "control/signal.h"
#include "model/invocation.h"

namespace hotswap::control {
namespace {

std::vector<Region> regions_of(const Options& options) {
  std::vector<Region> regions;
  for (const auto& setting : options.regions) regions.push_back(setting.region);
  return regions;
}

// See Publication for why the clock.
std::int64_t first_revision(const Clock& clock) { return clock.now().time_since_epoch().count() * 1000; }

// nullptr where none is stated. Whoever starts the control plane has checked the URL.
std::unique_ptr<Prometheus> prometheus_of(net::WebClient& client, const Options& options) {
  if (options.prometheus_url.empty()) return nullptr;
  auto made = Prometheus::create(client, options.prometheus_url);
  if (made) return *std::move(made);
  log::error("the queries of analyses cannot be asked", "", {{"error", made.error().detail}});
  return nullptr;
}

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
  NodeRegistry nodes{home.executor(),
                     options,
                     {.store = parts.store, .pool = parts.pool, .clock = parts.clock, .random = parts.random},
                     reported};
  Fleet fleet{home.executor(), options, publication, nodes, reported, parts.clock, parts.metrics};
  net::WebClient web{options.web_ca_file};
  std::unique_ptr<Prometheus> prometheus = prometheus_of(web, options);
  Mailer mailer{home.executor(),
                options.mail,
                {.store = parts.store,
                 .pool = parts.pool,
                 .clock = parts.clock,
                 .random = parts.random,
                 .metrics = parts.metrics}};
  Interfaces interfaces{options,
                        {.store = parts.store,
                         .blobs = parts.blobs,
                         .inspector = parts.inspector,
                         .clock = parts.clock,
                         .mailer = mailer}};
  Driver driver{home.executor(),
                options,
                {.store = parts.store,
                 .pool = parts.pool,
                 .clock = parts.clock,
                 .random = parts.random,
                 .tracer = parts.tracer,
                 .metrics = parts.metrics,
                 .interfaces = interfaces,
                 .mailer = mailer,
                 .prometheus = prometheus.get()},
                publication,
                fleet,
                reported};
  Webhook webhook{
      home.executor(),
      options.scaling,
      {.store = parts.store, .pool = parts.pool, .random = parts.random, .metrics = parts.metrics, .web = web}};
  Scaler scaler{home.executor(),
                options,
                {.store = parts.store, .pool = parts.pool, .clock = parts.clock, .metrics = parts.metrics},
                fleet,
                webhook};
  Registry registry{options,
                    {.store = parts.store,
                     .blobs = parts.blobs,
                     .inspector = parts.inspector,
                     .interfaces = interfaces,
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
  InterfacesApi interfaces_api{{.store = parts.store, .pool = parts.pool, .interfaces = interfaces}};
  DeploymentsApi deployments{{.home = home, .driver = driver, .store = parts.store, .pool = parts.pool}};
  FleetApi fleet_api{{.home = home,
                      .fleet = fleet,
                      .store = parts.store,
                      .pool = parts.pool,
                      .metrics = parts.metrics,
                      .options = options}};
  NodesApi nodes_api{{.home = home, .fleet = fleet, .registry = nodes}};
  NodeProtocol protocol{{.home = home,
                         .fleet = fleet,
                         .registry = nodes,
                         .store = parts.store,
                         .blobs = parts.blobs,
                         .pool = parts.pool,
                         .transfers = transfers}};
  ScalingApi scaling_api{{.home = home, .scaler = scaler, .store = parts.store, .pool = parts.pool}};
  int loops = 0;

  // A loop that stop() waits for.
  void begin(Task<void> loop) {
    ++loops;
    asio::co_spawn(home.executor(), std::move(loop), [this](const std::exception_ptr& thrown) {
      --loops;
      ended.notify();
      if (thrown) std::rethrow_exception(thrown);
    });
  }

  Task<Result<>> start() {
    HS_CO_CHECK(co_await registry.recover());
    HS_CO_CHECK(co_await parts.pool.run([this] { return interfaces.recover(); }));
    HS_CO_CHECK(co_await nodes.load());
    HS_CO_CHECK(co_await driver.load());
    HS_CO_CHECK(co_await scaler.load());
    fleet.expect_registered();
    begin(driver.run());
    begin(fleet.watch());
    begin(scaler.run());
    begin(webhook.run());
    begin(mailer.run());
    co_return Result<>{};
  }

  Task<void> stop() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    fleet.stop();
    driver.stop();
    scaler.stop();
    webhook.stop();
    mailer.stop();
    web.stop();
    while (loops > 0) co_await ended.wait(ended.count(), std::chrono::steady_clock::time_point::max());
    co_await home.alone();
  }
};

App::App(asio::any_io_executor home, Options options, Parts parts)
    : wiring_(std::make_unique<Wiring>(std::move(home), std::move(options), parts)) {}

App::~App() = default;

void App::mount(net::Router& router) {
  control::mount(router, wiring_->options,
                 {.modules = wiring_->modules,
                  .interfaces = wiring_->interfaces_api,
                  .deployments = wiring_->deployments,
                  .fleet = wiring_->fleet_api,
                  .nodes = wiring_->nodes_api,
                  .protocol = wiring_->protocol,
                  .scaling = wiring_->scaling_api});
}

Task<Result<>> App::start() { co_return co_await wiring_->home.run(wiring_->start()); }

Task<void> App::stop() { co_await wiring_->home.run(wiring_->stop()); }

Task<Result<DesiredState>> App::desired_state(NodeId node, std::int64_t after, Region region, std::string incarnation) {
  HS_CO_TRY(const auto polled,
            co_await wiring_->home.run(wiring_->fleet.poll({.node = std::move(node),
                                                            .after = after,
                                                            .region = std::move(region),
                                                            .incarnation = std::move(incarnation)})));
  co_return *polled.now;
}

Task<Result<ReportReply>> App::report(NodeReport report) {
  co_return co_await wiring_->home.run([](Fleet& fleet, NodeReport sent) -> Task<Result<ReportReply>> {
    co_return fleet.report(std::move(sent));
  }(wiring_->fleet, std::move(report)));
}

Task<Result<>> App::introduce(NodeDescription node) {
  co_return co_await wiring_->home.run([](Wiring& wiring, NodeDescription about) -> Task<Result<>> {
    HS_CO_CHECK(co_await wiring.nodes.introduce(std::move(about)));
    wiring.fleet.expect_registered();
    co_return Result<>{};
  }(*wiring_, std::move(node)));
}

Task<Result<std::string>> App::create_join_token(JoinTokenRequest request) {
  HS_CO_TRY(auto made,
            co_await wiring_->home.run(wiring_->nodes.create_token(default_principal(), std::move(request))));
  co_return std::move(made.secret);
}

Task<Result<std::vector<Peer>>> App::serving(TenantId tenant, std::string_view body) {
  HS_CO_TRY(const auto request, from_json_text<ExecuteRequest>(body));
  if (request.module.has_value() == request.moduleId.has_value()) {
    co_return fail_fields({{"module", "state either module (a name) or moduleId (one version)"}});
  }
  Fleet::Wanted wanted{.tenant = std::move(tenant), .name = request.module, .version = {}, .region = request.region};
  if (request.moduleId) wanted.version = ModuleId(*request.moduleId);
  co_return co_await wiring_->home.run([](Fleet& fleet, Fleet::Wanted asked) -> Task<Result<std::vector<Peer>>> {
    co_return fleet.serving(asked);
  }(wiring_->fleet, std::move(wanted)));
}

Task<Result<>> App::fetch(Digest digest, std::function<Result<>(std::span<const std::byte>)> sink) {
  co_return co_await wiring_->transfers.run([&] { return wiring_->parts.blobs.read(digest, sink); });
}

Task<Result<>> App::count_invocations(std::vector<Store::InvocationCount> counts) {
  co_return co_await wiring_->parts.pool.run([&] { return wiring_->parts.store.add_invocations(counts); });
}

Task<Result<>> App::retire(NodeId node) {
  co_return co_await wiring_->home.run([](Wiring& wiring, NodeId id) -> Task<Result<>> {
    HS_CO_CHECK(co_await wiring.nodes.drain(id));
    const auto until = std::chrono::steady_clock::now() + limits::kRetireDeadline;
    for (;;) {
      const auto seen = wiring.reported.count();
      HS_CO_TRY(const bool drained, wiring.fleet.drained(id));
      if (drained) co_return Result<>{};
      if (std::chrono::steady_clock::now() >= until) break;
      co_await wiring.reported.wait(seen, until);
    }
    HS_CO_CHECK(co_await wiring.nodes.set_enabled(id, true));
    co_return fail(ErrorKind::kDeadline, fmt::format("what node {} holds could not be moved within {} s", id.str(),
                                                     limits::kRetireDeadline.count()));
  }(*wiring_, std::move(node)));
}

Task<Result<>> App::enable(NodeId node) {
  co_return co_await wiring_->home.run([](Wiring& wiring, NodeId id) -> Task<Result<>> {
    if (wiring.nodes.find(id) == nullptr) co_return Result<>{};
    HS_CO_CHECK(co_await wiring.nodes.set_enabled(id, true));
    co_return Result<>{};
  }(*wiring_, std::move(node)));
}

Task<Result<>> App::remove(NodeId node) {
  co_return co_await wiring_->home.run([](Wiring& wiring, NodeId id) -> Task<Result<>> {
    HS_CO_CHECK(co_await wiring.nodes.remove(id));
    wiring.fleet.forget(id);
    co_return Result<>{};
  }(*wiring_, std::move(node)));
}

}  // namespace hotswap::control
