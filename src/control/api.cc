#include "control/api.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace hotswap::control {
namespace {

using Handle = Task<Result<>> (*)(const Nouns&, net::Exchange&, const Principal&);

// A handler of one noun as a table's entry.
template <auto Handler>
Task<Result<>> call(const Nouns& nouns, net::Exchange& exchange, const Principal& principal) {
  if constexpr (requires { (nouns.modules.*Handler)(exchange, principal); }) {
    return (nouns.modules.*Handler)(exchange, principal);
  } else if constexpr (requires { (nouns.interfaces.*Handler)(exchange, principal); }) {
    return (nouns.interfaces.*Handler)(exchange, principal);
  } else if constexpr (requires { (nouns.deployments.*Handler)(exchange, principal); }) {
    return (nouns.deployments.*Handler)(exchange, principal);
  } else if constexpr (requires { (nouns.nodes.*Handler)(exchange, principal); }) {
    return (nouns.nodes.*Handler)(exchange, principal);
  } else if constexpr (requires { (nouns.scaling.*Handler)(exchange, principal); }) {
    return (nouns.scaling.*Handler)(exchange, principal);
  } else if constexpr (requires { (nouns.protocol.*Handler)(exchange); }) {
    return (nouns.protocol.*Handler)(exchange);
  } else {
    return (nouns.fleet.*Handler)(exchange, principal);
  }
}

// Who may (source 002, "Authorization"). Roles are no ladder: an Operator rolls back and does not deploy.
// A node shows a credential of its own, which NodeProtocol checks.
enum class Access { everybody, nodes, readers, developers, operators, stewards, admins };

std::vector<Role> roles_of(Access access) {
  switch (access) {
    case Access::everybody:
    case Access::nodes:
    case Access::readers:
      return {Role::Viewer, Role::Operator, Role::Developer, Role::Admin};
    case Access::developers:
      return {Role::Developer, Role::Admin};
    case Access::operators:
      return {Role::Operator, Role::Admin};
    case Access::stewards:
      return {Role::Operator, Role::Developer, Role::Admin};
    case Access::admins:
      return {Role::Admin};
  }
  return {};
}

struct Endpoint {
  std::string_view route;
  Access access;
  Handle handle;
};

using Modules = ModulesApi;
using Deployments = DeploymentsApi;
using Nodes = NodesApi;
using Protocol = NodeProtocol;
using Scaling = ScalingApi;

constexpr std::array kEndpoints{
    Endpoint{"POST /api/v1/wasm/modules", Access::developers, &call<&Modules::create>},
    Endpoint{"GET /api/v1/wasm/modules", Access::readers, &call<&Modules::list>},
    Endpoint{"GET /api/v1/wasm/modules/{id}", Access::readers, &call<&Modules::show>},
    Endpoint{"PATCH /api/v1/wasm/modules/{id}", Access::developers, &call<&Modules::update>},
    Endpoint{"DELETE /api/v1/wasm/modules/{id}", Access::admins, &call<&Modules::remove>},
    Endpoint{"GET /api/v1/wasm/modules/{id}/binary", Access::readers, &call<&Modules::binary>},

    Endpoint{"POST /api/v1/wasm/interfaces", Access::developers, &call<&InterfacesApi::create>},
    Endpoint{"GET /api/v1/wasm/interfaces", Access::readers, &call<&InterfacesApi::list>},
    Endpoint{"GET /api/v1/wasm/interfaces/{id}", Access::readers, &call<&InterfacesApi::show>},
    Endpoint{"POST /api/v1/wasm/interfaces/{id}/submit", Access::developers, &call<&InterfacesApi::submit>},
    Endpoint{"POST /api/v1/wasm/interfaces/{id}/approve", Access::admins, &call<&InterfacesApi::approve>},
    Endpoint{"POST /api/v1/wasm/interfaces/{id}/reject", Access::admins, &call<&InterfacesApi::reject>},
    Endpoint{"POST /api/v1/wasm/interfaces/{id}/deprecate", Access::admins, &call<&InterfacesApi::deprecate>},
    Endpoint{"POST /api/v1/wasm/interfaces/{id}/validate", Access::readers, &call<&InterfacesApi::validate>},
    Endpoint{"GET /api/v1/wasm/interfaces/{id}/diff", Access::readers, &call<&InterfacesApi::diff>},
    Endpoint{"POST /api/v1/wasm/interfaces/check", Access::readers, &call<&InterfacesApi::check>},

    Endpoint{"POST /api/v1/wasm/deployments", Access::developers, &call<&Deployments::create>},
    Endpoint{"GET /api/v1/wasm/deployments", Access::readers, &call<&Deployments::list>},
    Endpoint{"GET /api/v1/wasm/deployments/{id}", Access::readers, &call<&Deployments::show>},
    // To production: an Admin, see Driver::execute.
    Endpoint{"POST /api/v1/wasm/deployments/{id}/execute", Access::developers, &call<&Deployments::execute>},
    Endpoint{"POST /api/v1/wasm/deployments/{id}/approve", Access::admins, &call<&Deployments::approve>},
    Endpoint{"POST /api/v1/wasm/deployments/{id}/rollback", Access::operators, &call<&Deployments::rollback>},
    // Whoever may deploy or roll back may also stop; only who deploys may push on.
    Endpoint{"POST /api/v1/wasm/deployments/{id}/pause", Access::stewards, &call<&Deployments::pause>},
    Endpoint{"POST /api/v1/wasm/deployments/{id}/resume", Access::stewards, &call<&Deployments::resume>},
    Endpoint{"POST /api/v1/wasm/deployments/{id}/abort", Access::stewards, &call<&Deployments::abort>},
    Endpoint{"POST /api/v1/wasm/deployments/{id}/cancel", Access::stewards, &call<&Deployments::cancel>},
    Endpoint{"POST /api/v1/wasm/deployments/{id}/promote", Access::developers, &call<&Deployments::promote>},
    Endpoint{"POST /api/v1/wasm/deployments/{id}/promote-full", Access::developers, &call<&Deployments::promote_fully>},
    Endpoint{"POST /api/v1/wasm/deployments/{id}/retry", Access::developers, &call<&Deployments::retry>},
    Endpoint{"GET /api/v1/wasm/deployments/{id}/events", Access::readers, &call<&Deployments::events>},

    Endpoint{"GET /api/v1/wasm/nodes", Access::readers, &call<&Nodes::list>},
    Endpoint{"GET /api/v1/wasm/nodes/{id}", Access::readers, &call<&Nodes::show>},
    Endpoint{"GET /api/v1/wasm/nodes/{id}/health", Access::readers, &call<&Nodes::health>},
    Endpoint{"DELETE /api/v1/wasm/nodes/{id}", Access::admins, &call<&Nodes::remove>},
    Endpoint{"POST /api/v1/wasm/nodes/{id}/drain", Access::operators, &call<&Nodes::drain>},
    Endpoint{"POST /api/v1/wasm/nodes/{id}/enable", Access::operators, &call<&Nodes::enable>},
    Endpoint{"POST /api/v1/wasm/nodes/{id}/disable", Access::operators, &call<&Nodes::disable>},
    Endpoint{"POST /api/v1/wasm/nodes/{id}/pins", Access::operators, &call<&Nodes::pin>},
    Endpoint{"DELETE /api/v1/wasm/nodes/{id}/pins/{moduleId}", Access::operators, &call<&Nodes::unpin>},
    Endpoint{"POST /api/v1/wasm/join-tokens", Access::admins, &call<&Nodes::create_token>},
    Endpoint{"GET /api/v1/wasm/join-tokens", Access::admins, &call<&Nodes::tokens>},
    Endpoint{"DELETE /api/v1/wasm/join-tokens/{id}", Access::admins, &call<&Nodes::revoke_token>},

    Endpoint{"POST /api/v1/wasm/nodes", Access::nodes, &call<&Protocol::join>},
    Endpoint{"PUT /api/v1/wasm/nodes/{id}", Access::nodes, &call<&Protocol::introduce>},
    Endpoint{"POST /api/v1/wasm/nodes/{id}/credential", Access::nodes, &call<&Protocol::rotate>},
    Endpoint{"GET /api/v1/wasm/nodes/{id}/desired-state", Access::nodes, &call<&Protocol::desired_state>},
    Endpoint{"POST /api/v1/wasm/nodes/{id}/reports", Access::nodes, &call<&Protocol::report>},
    Endpoint{"POST /api/v1/wasm/nodes/{id}/invocations", Access::nodes, &call<&Protocol::invocations>},
    Endpoint{"GET /api/v1/wasm/nodes/{id}/artifacts/{digest}", Access::nodes, &call<&Protocol::artifact>},

    Endpoint{"GET /api/v1/wasm/scaling", Access::readers, &call<&Scaling::regions>},
    Endpoint{"GET /api/v1/wasm/scaling/decisions", Access::readers, &call<&Scaling::decisions>},

    Endpoint{"GET /api/v1/wasm/routes", Access::readers, &call<&FleetApi::routes>},
    Endpoint{"GET /api/v1/wasm/traffic", Access::readers, &call<&FleetApi::traffic>},
    Endpoint{"GET /health/live", Access::everybody, &call<&FleetApi::live>},
    Endpoint{"GET /health/ready", Access::everybody, &call<&FleetApi::ready>},
    Endpoint{"GET /metrics", Access::everybody, &call<&FleetApi::metrics>},
};

Result<Principal> admit(const Endpoint& endpoint, const Options& options, net::Exchange& exchange) {
  if (endpoint.access == Access::everybody || endpoint.access == Access::nodes) return Principal{};
  HS_TRY(auto principal, options.identify(exchange));
  const auto roles = roles_of(endpoint.access);
  if (std::ranges::find(roles, principal.role) != roles.end()) return principal;
  std::vector<std::string_view> names;
  for (const Role role : roles) names.push_back(enum_name(role));
  return fail(ErrorKind::kForbidden, fmt::format("{} has the role {}; this needs {}", principal.user,
                                                 enum_name(principal.role), fmt::join(names, " or ")));
}

Task<void> serve(const Endpoint& endpoint, const Options& options, const Nouns& nouns, net::Exchange& exchange) {
  const auto principal = admit(endpoint, options, exchange);
  Result<> result;
  if (principal) {
    result = co_await endpoint.handle(nouns, exchange, *principal);
  } else {
    result = std::unexpected(principal.error());
  }
  // A failure after the reply began is one of the connection, and there is nobody to tell.
  if (!result && !exchange.replied()) std::ignore = co_await net::reply_problem(exchange, result.error());
}

}  // namespace

void mount(net::Router& router, const Options& options, Nouns nouns) {
  for (const auto& endpoint : kEndpoints) {
    router.add(endpoint.route, [&endpoint, &options, nouns](net::Exchange& exchange) {
      return serve(endpoint, options, nouns, exchange);
    });
  }
}

}  // namespace hotswap::control
