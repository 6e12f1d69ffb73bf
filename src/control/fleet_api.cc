#include "control/fleet_api.h"

#include "control/page_json.h"
#include "control/query_parameters.h"

namespace hotswap::control {

Task<Result<>> FleetApi::routes(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  // From the store, as deployments are read: who has seen a deployment end sees the routes that it left.
  HS_CO_TRY(auto all, co_await parts_.pool.run([this] { return parts_.store.all_routes(); }));
  // A region that is not configured any more keeps its routes for when it comes back, and serves nothing meanwhile.
  std::erase_if(all.routes, [&](const Route& route) {
    return route.tenant != principal.tenant ||
           std::ranges::find(parts_.options.regions, route.region, &RegionSetting::region) ==
               parts_.options.regions.end();
  });
  co_return co_await net::reply_json(exchange, list_json(all.routes));
}

Task<Result<>> FleetApi::traffic(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  const auto rows = co_await parts_.home.run([](Fleet& fleet, TenantId tenant) -> Task<std::vector<TrafficRow>> {
    co_return fleet.watched_traffic(tenant);
  }(parts_.fleet, principal.tenant));
  co_return co_await net::reply_json(
      exchange,
      json::serialize(json::object{{"latencyBoundsSeconds", to_json(latency_bounds())}, {"items", to_json(rows)}}));
}

Task<Result<>> FleetApi::live(net::Exchange& exchange, const Principal&) {
  co_return co_await net::reply_json(exchange, R"({"status":"live"})");
}

Task<Result<>> FleetApi::ready(net::Exchange& exchange, const Principal&) {
  const auto answer = co_await parts_.pool.run([this] { return parts_.store.ping(); });
  if (!answer) co_return fail(ErrorKind::kUnavailable, "the store does not answer: " + answer.error().detail);
  co_return co_await net::reply_json(exchange, R"({"status":"ready"})");
}

Task<Result<>> FleetApi::metrics(net::Exchange& exchange, const Principal&) {
  co_await parts_.home.run([](Fleet& fleet) -> Task<void> {
    fleet.update_gauges();
    co_return;
  }(parts_.fleet));
  co_return co_await exchange.reply(200, "text/plain; version=0.0.4; charset=utf-8", parts_.metrics.expose());
}

}  // namespace hotswap::control
