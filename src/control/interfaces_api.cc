#include "control/interfaces_api.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "base/log.h"
#include "control/page_json.h"
#include "control/query_parameters.h"
#include "control/request_body.h"

namespace hotswap::control {
namespace {

InterfaceId id_of(const net::Exchange& exchange) { return InterfaceId(exchange.params().at(0)); }

Result<InterfaceQuery> read_query(const net::Exchange& exchange) {
  QueryParameters parameters(exchange, {"namespace", "name", "status", "limit", "cursor"});
  InterfaceQuery query;
  query.packageNamespace = parameters.text("namespace");
  query.name = parameters.text("name");
  query.status = parameters.enumerator<InterfaceStatus>("status");
  query.limit = static_cast<std::size_t>(
      parameters.integer("limit", 1, limits::kPageMax).value_or(static_cast<std::int64_t>(limits::kPageDefault)));
  query.cursor = parameters.text("cursor");
  HS_CHECK(parameters.check());
  return query;
}

json::value document_of(const WasiInterface& interface, const InterfaceValidation& validation) {
  json::array errors;
  for (const auto& [field, message] : validation.errors) {
    errors.push_back(json::object{{"field", field}, {"message", message}});
  }
  return json::object{{"interfaceId", interface.interfaceId.str()},
                      {"status", enum_name(interface.status)},
                      {"valid", validation.valid},
                      {"errors", std::move(errors)},
                      {"warnings", to_json(validation.warnings)},
                      {"breaking", to_json(validation.breaking)}};
}

struct ModuleCheck {
  std::optional<ModuleId> moduleId;
  std::optional<std::string> world;
};
BOOST_DESCRIBE_STRUCT(ModuleCheck, (), (moduleId, world))

constexpr std::string_view kWasmType = "application/wasm";

}  // namespace

Task<Result<>> InterfacesApi::create(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto registration, co_await read_body<InterfaceRegistration>(exchange));
  HS_CO_TRY(const auto added, co_await parts_.pool.run([&] { return parts_.interfaces.add(principal, registration); }));
  const std::string body = to_json_text(added.interface);
  if (added.existed) co_return co_await net::reply_json(exchange, body);
  log::info("interface registered", exchange.trace().trace_id(),
            {{"interfaceId", added.interface.interfaceId.str()},
             {"breaking", added.interface.breaking ? added.interface.breaking->problem : std::string()},
             {"by", principal.user}});
  const std::string location = fmt::format("/api/v1/wasm/interfaces/{}", added.interface.interfaceId.str());
  const std::array headers{net::Header{"Location", location}};
  co_return co_await exchange.reply(201, "application/json", body, headers);
}

Task<Result<>> InterfacesApi::list(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const InterfaceQuery query, read_query(exchange));
  HS_CO_TRY(const auto page,
            co_await parts_.pool.run([&] { return parts_.store.interfaces(principal.tenant, query); }));
  co_return co_await net::reply_json(exchange, page_json(page));
}

Task<Result<>> InterfacesApi::show(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  const auto id = id_of(exchange);
  HS_CO_TRY(const auto interface, co_await parts_.pool.run([&] { return parts_.interfaces.show(principal, id); }));
  co_return co_await net::reply_json(exchange, to_json_text(interface));
}

Task<Result<>> InterfacesApi::carry_out(net::Exchange& exchange, const Principal& principal, std::string_view done,
                                        std::function<Result<WasiInterface>()> verb) {
  HS_CO_TRY(const auto interface, co_await parts_.pool.run([&] { return verb(); }));
  log::info("interface changed", exchange.trace().trace_id(),
            {{"interfaceId", interface.interfaceId.str()},
             {"verb", done},
             {"status", enum_name(interface.status)},
             {"by", principal.user}});
  co_return co_await net::reply_json(exchange, to_json_text(interface));
}

Task<Result<>> InterfacesApi::submit(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(co_await expect_nothing(exchange));
  const auto id = id_of(exchange);
  co_return co_await carry_out(exchange, principal, "submit", [&] { return parts_.interfaces.submit(principal, id); });
}

Task<Result<>> InterfacesApi::approve(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(co_await expect_nothing(exchange));
  const auto id = id_of(exchange);
  co_return co_await carry_out(exchange, principal, "approve",
                               [&] { return parts_.interfaces.approve(principal, id); });
}

Task<Result<>> InterfacesApi::reject(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto rejection, co_await read_body<InterfaceRejection>(exchange));
  const auto id = id_of(exchange);
  co_return co_await carry_out(exchange, principal, "reject",
                               [&] { return parts_.interfaces.reject(principal, id, rejection); });
}

Task<Result<>> InterfacesApi::deprecate(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto deprecation, co_await read_body<InterfaceDeprecation>(exchange));
  const auto id = id_of(exchange);
  co_return co_await carry_out(exchange, principal, "deprecate",
                               [&] { return parts_.interfaces.deprecate(principal, id, deprecation); });
}

Task<Result<>> InterfacesApi::validate(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(co_await expect_nothing(exchange));
  const auto id = id_of(exchange);
  HS_CO_TRY(const auto document, co_await parts_.pool.run([&]() -> Result<json::value> {
    HS_TRY(const auto interface, parts_.interfaces.show(principal, id));
    HS_TRY(const auto validation, parts_.interfaces.validate(principal, id));
    return document_of(interface, validation);
  }));
  co_return co_await net::reply_json(exchange, json::serialize(document));
}

Task<Result<>> InterfacesApi::diff(net::Exchange& exchange, const Principal& principal) {
  QueryParameters parameters(exchange, {"to", "mode"});
  const auto to = parameters.text("to");
  if (!to) parameters.error("to", "is required: the version to compare with");
  const auto mode = parameters.enumerator<compat::Mode>("mode");
  HS_CO_CHECK(parameters.check());
  const auto id = id_of(exchange);
  HS_CO_TRY(const auto document,
            co_await parts_.pool.run([&] { return parts_.interfaces.diff(principal, id, InterfaceId(*to), mode); }));
  co_return co_await net::reply_json(exchange, json::serialize(document));
}

Task<Result<>> InterfacesApi::check(net::Exchange& exchange, const Principal& principal) {
  QueryParameters parameters(exchange, {"world"});
  auto world = parameters.text("world");
  HS_CO_CHECK(parameters.check());
  if (exchange.header(net::http::field::content_type).starts_with(kWasmType)) {
    HS_CO_TRY(const std::string binary, co_await exchange.read_all(limits::kModuleBytes));
    HS_CO_TRY(const auto conformance,
              co_await parts_.pool.run([&] { return parts_.interfaces.check(principal, binary, world); }));
    co_return co_await net::reply_json(exchange, to_json_text(conformance));
  }
  HS_CO_TRY(const std::string body, co_await exchange.read_all(limits::kJsonBodyBytes));
  HS_CO_TRY(const auto request, from_json_text<ModuleCheck>(body));
  if (!request.moduleId) {
    co_return fail_fields({{"moduleId", "is required; or send a binary as application/wasm"}});
  }
  if (request.world) world = request.world;
  HS_CO_TRY(const auto conformance,
            co_await parts_.pool.run([&] { return parts_.interfaces.check(principal, *request.moduleId, world); }));
  co_return co_await net::reply_json(exchange, to_json_text(conformance));
}

}  // namespace hotswap::control
