#include "control/nodes_api.h"

#include "control/page_json.h"
#include "control/query_parameters.h"
#include "control/request_body.h"

namespace hotswap::control {
namespace {

NodeId node_of(const net::Exchange& exchange) { return NodeId(exchange.params().at(0)); }

struct PinRequest {
  ModuleId moduleId;
  static constexpr std::array kRequired{std::string_view("moduleId")};
};
BOOST_DESCRIBE_STRUCT(PinRequest, (), (moduleId))

}  // namespace

Task<Result<>> NodesApi::list(net::Exchange& exchange, const Principal& principal) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  const auto nodes = co_await parts_.home.run([](const Fleet& fleet, TenantId tenant) -> Task<std::vector<NodeStatus>> {
    co_return fleet.status(tenant);
  }(parts_.fleet, principal.tenant));
  co_return co_await net::reply_json(exchange, list_json(nodes));
}

Task<Result<NodeStatus>> NodesApi::status(TenantId tenant, NodeId id) {
  co_return co_await parts_.home.run([](const Fleet& fleet, TenantId of, NodeId node) -> Task<Result<NodeStatus>> {
    co_return fleet.status(of, node);
  }(parts_.fleet, std::move(tenant), std::move(id)));
}

Task<Result<>> NodesApi::show(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto node, co_await status(principal.tenant, node_of(exchange)));
  co_return co_await net::reply_json(exchange, to_json_text(node));
}

Task<Result<>> NodesApi::health(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto node, co_await status(principal.tenant, node_of(exchange)));
  co_return co_await net::reply_json(exchange, to_json_text(node.health));
}

Task<Result<>> NodesApi::remove(net::Exchange& exchange, const Principal&) {
  const NodeId id = node_of(exchange);
  HS_CO_CHECK(co_await parts_.home.run([](Parts parts, NodeId node) -> Task<Result<>> {
    HS_CO_CHECK(co_await parts.registry.remove(node));
    parts.fleet.forget(node);
    co_return Result<>{};
  }(parts_, id)));
  co_return co_await exchange.reply(204, "", "");
}

Task<Result<>> NodesApi::after(net::Exchange& exchange, const Principal& principal, Task<Result<NodeRecord>> change) {
  HS_CO_TRY(const auto record, co_await parts_.home.run(std::move(change)));
  HS_CO_TRY(const auto node, co_await status(principal.tenant, record.node.nodeId));
  co_return co_await net::reply_json(exchange, to_json_text(node));
}

Task<Result<>> NodesApi::drain(net::Exchange& exchange, const Principal& principal) {
  return after(exchange, principal, parts_.registry.drain(node_of(exchange)));
}

Task<Result<>> NodesApi::enable(net::Exchange& exchange, const Principal& principal) {
  return after(exchange, principal, parts_.registry.set_enabled(node_of(exchange), true));
}

Task<Result<>> NodesApi::disable(net::Exchange& exchange, const Principal& principal) {
  return after(exchange, principal, parts_.registry.set_enabled(node_of(exchange), false));
}

Task<Result<>> NodesApi::pin(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(const auto request, co_await read_body<PinRequest>(exchange));
  co_return co_await after(exchange, principal,
                           parts_.registry.pin(node_of(exchange), {principal.tenant, request.moduleId}));
}

Task<Result<>> NodesApi::unpin(net::Exchange& exchange, const Principal& principal) {
  return after(exchange, principal,
               parts_.registry.unpin(node_of(exchange), {principal.tenant, ModuleId(exchange.params().at(1))}));
}

Task<Result<>> NodesApi::create_token(net::Exchange& exchange, const Principal& principal) {
  HS_CO_TRY(auto request, co_await read_optional_body<JoinTokenRequest>(exchange));
  HS_CO_TRY(const auto made, co_await parts_.home.run(parts_.registry.create_token(principal, std::move(request))));
  json::value document = to_json(made.token);
  document.as_object()["token"] = made.secret;
  const std::array headers{net::Header{"Cache-Control", "no-store"}};
  co_return co_await exchange.reply(201, "application/json", json::serialize(document), headers);
}

Task<Result<>> NodesApi::tokens(net::Exchange& exchange, const Principal&) {
  HS_CO_CHECK(QueryParameters(exchange, {}).check());
  HS_CO_TRY(const auto tokens, co_await parts_.home.run(parts_.registry.tokens()));
  co_return co_await net::reply_json(exchange, list_json(tokens));
}

Task<Result<>> NodesApi::revoke_token(net::Exchange& exchange, const Principal&) {
  HS_CO_TRY(const auto token, co_await parts_.home.run(parts_.registry.revoke_token(exchange.params().at(0))));
  co_return co_await net::reply_json(exchange, to_json_text(token));
}

}  // namespace hotswap::control
