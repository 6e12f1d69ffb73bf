#include "control/scaling_api.h"

#include "control/page_json.h"
#include "control/query_parameters.h"

namespace hotswap::control {

Task<Result<>> ScalingApi::regions(net::Exchange& exchange, const Principal&) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  const auto regions = co_await parts_.home.run(
      [](const Scaler& scaler) -> Task<std::vector<RegionScaling>> { co_return scaler.regions(); }(parts_.scaler));
  const json::object document{{"enabled", parts_.scaler.enabled()}, {"items", to_json(regions)}};
  co_return co_await net::reply_json(exchange, json::serialize(document));
}

Task<Result<>> ScalingApi::decisions(net::Exchange& exchange, const Principal&) {
  QueryParameters parameters(exchange, {"region", "limit", "cursor"});
  ScalingQuery query;
  if (auto region = parameters.text("region")) query.region = Region(*std::move(region));
  query.limit = static_cast<std::size_t>(
      parameters.integer("limit", 1, limits::kPageMax).value_or(static_cast<std::int64_t>(limits::kPageDefault)));
  query.cursor = parameters.text("cursor");
  HS_CO_CHECK(parameters.check());
  HS_CO_TRY(const auto page, co_await parts_.pool.run([&] { return parts_.store.scaling_events(query); }));
  co_return co_await net::reply_json(exchange, page_json(page));
}

}  // namespace hotswap::control
