#include "control/modules_api.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "base/log.h"
#include "control/download.h"
#include "control/operation_trace.h"
#include "control/page_json.h"
#include "control/query_parameters.h"
#include "control/request_body.h"

namespace hotswap::control {
namespace {

enum class SortDirection { asc, desc };
BOOST_DESCRIBE_ENUM(SortDirection, asc, desc)

Result<ModuleQuery> read_query(const net::Exchange& exchange) {
  QueryParameters parameters(exchange, {"name", "status", "text", "sort", "order", "limit", "cursor"});
  ModuleQuery query;
  query.name = parameters.text("name");
  query.status = parameters.enumerator<ModuleStatus>("status");
  query.text = parameters.text("text");
  query.order = parameters.enumerator<ModuleOrder>("sort").value_or(ModuleOrder::name);
  query.descending = parameters.enumerator<SortDirection>("order") == SortDirection::desc;
  query.limit = static_cast<std::size_t>(
      parameters.integer("limit", 1, limits::kPageMax).value_or(static_cast<std::int64_t>(limits::kPageDefault)));
  query.cursor = parameters.text("cursor");
  HS_CHECK(parameters.check());
  return query;
}

ModuleId id_of(const net::Exchange& exchange) { return ModuleId(exchange.params().at(0)); }

}  // namespace

Task<Result<>> ModulesApi::create(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(auto sink, co_await BinarySink::open(parts_.blobs, parts_.pool));
  HS_CO_TRY(auto upload, co_await receive_upload(exchange, sink));
  HS_CO_TRY(const AddedModule added,
            co_await parts_.registry.add(principal, std::move(upload), sink, operation_trace(exchange)));
  const std::string body = to_json_text(added.module);
  if (added.existed) co_return co_await net::reply_json(exchange, body);
  const std::string location = fmt::format("/api/v1/wasm/modules/{}", added.module.moduleId.str());
  const std::array headers{net::Header{"Location", location}};
  co_return co_await exchange.reply(201, "application/json", body, headers);
}

Task<Result<>> ModulesApi::list(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const ModuleQuery query, read_query(exchange));
  HS_CO_TRY(const auto page, co_await parts_.pool.run([&] { return parts_.store.modules(principal.tenant, query); }));
  co_return co_await net::reply_json(exchange, page_json(page));
}

Task<Result<Module>> ModulesApi::find(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  co_return co_await parts_.pool.run([&] { return parts_.store.module(principal.tenant, id_of(exchange)); });
}

Task<Result<>> ModulesApi::show(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const Module module, co_await find(exchange, principal));
  co_return co_await net::reply_json(exchange, to_json_text(module));
}

Task<Result<>> ModulesApi::update(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto patch, co_await read_body<ModulePatch>(exchange));
  if (auto errors = validate(patch); !errors.empty()) co_return fail_fields(std::move(errors));
  const ModuleId id = id_of(exchange);
  const auto now = parts_.clock.now();
  HS_CO_TRY(const Module module,
            co_await parts_.pool.run([&] { return parts_.store.update_module(principal.tenant, id, patch, now); }));
  log::info("module changed", exchange.trace().trace_id(),
            {{"moduleId", id.str()}, {"status", enum_name(module.status)}, {"by", principal.user}});
  co_return co_await net::reply_json(exchange, to_json_text(module));
}

Task<Result<>> ModulesApi::remove(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  HS_CO_CHECK(co_await parts_.registry.remove(principal, id_of(exchange), operation_trace(exchange)));
  co_return co_await exchange.reply(204, "", "");
}

Task<Result<>> ModulesApi::binary(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const Module module, co_await find(exchange, principal));
  const std::string etag = fmt::format("\"{}\"", module.checksum.hex());
  const std::string disposition = fmt::format("attachment; filename=\"{}.wasm\"", module.moduleId.str());
  const std::array headers{net::Header{"Content-Type", "application/wasm"}, net::Header{"ETag", etag},
                           net::Header{"Content-Disposition", disposition}};
  if (exchange.header(net::http::field::if_none_match) == etag) {
    HS_CO_CHECK(co_await exchange.begin(304, std::span(headers).subspan(1), 0));
    co_return co_await exchange.finish();
  }
  co_return co_await send_blob(exchange, parts_.blobs, parts_.transfers, module.checksum, module.sizeBytes, headers);
}

}  // namespace hotswap::control
