#include <algorithm>
#include <set>

#include "store/cursor.h"
#include "store/rows.h"
#include "store/sql.h"
#include "store/sql_store.h"

namespace hotswap {
namespace {

std::int64_t created_at(const Deployment& deployment) { return deployment.createdAt.time_since_epoch().count(); }

Parameters deployment_columns(const DeploymentChange& change) {
  const Deployment& deployment = change.deployment;
  return {{"tenant", change.tenant.str()},          {"deployment_id", deployment.deploymentId.str()},
          {"module_id", deployment.moduleId.str()}, {"module_name", deployment.moduleName},
          {"status", enum_name(deployment.status)}, {"unfinished", finished(deployment.status) ? 0 : 1},
          {"created_at", created_at(deployment)},   {"document", to_json_text(deployment)}};
}

std::int64_t stored_revision(Connection& connection, const TenantId& tenant, const DeploymentId& id) {
  const auto found = connection.rows<std::string, long long>(sql::kDeployment,
                                                             {{"tenant", tenant.str()}, {"deployment_id", id.str()}});
  return found.empty() ? 0 : std::get<1>(found.front());
}

Result<> insert(Connection& connection, const DeploymentChange& change) {
  const Deployment& deployment = change.deployment;
  const auto counted = connection.execute(sql::kCountDeployment,
                                          {{"tenant", change.tenant.str()}, {"module_id", deployment.moduleId.str()}});
  if (counted == 0) {
    return fail(ErrorKind::kNotFound, fmt::format("there is no module {}", deployment.moduleId.str()));
  }
  connection.execute(sql::kInsertDeployment, deployment_columns(change));
  return {};
}

void update(Connection& connection, const DeploymentChange& change) {
  auto columns = deployment_columns(change);
  columns.emplace_back("expected", change.expectedRevision);
  connection.execute(sql::kUpdateDeployment, columns);
}

Result<> save(Connection& connection, const DeploymentChange& change) {
  const std::int64_t stored = stored_revision(connection, change.tenant, change.deployment.deploymentId);
  if (stored != change.expectedRevision) {
    const std::string& id = change.deployment.deploymentId.str();
    return fail(ErrorKind::kConflict,
                stored == 0 ? fmt::format("there is no deployment {} to change", id)
                            : fmt::format("deployment {} was changed meanwhile (it is at revision {}, the change was "
                                          "made from {}); read it again",
                                          id, stored, change.expectedRevision));
  }
  if (stored == 0) return insert(connection, change);
  update(connection, change);
  return {};
}

// An unfinished deployment keeps the version that it brings and those that it may have to return to.
void refer_from_deployment(Connection& connection, const DeploymentChange& change) {
  const Deployment& deployment = change.deployment;
  const auto by = rows::deployment_referrer(deployment.deploymentId);
  rows::drop_references(connection, change.tenant, by);
  if (finished(deployment.status)) return;
  std::set<ModuleId> needed{deployment.moduleId};
  if (deployment.previousModuleId) needed.insert(*deployment.previousModuleId);
  for (const auto& route : deployment.routesBefore) {
    for (const auto& id : versions_of(route)) needed.insert(id);
  }
  for (const auto& id : needed) rows::add_reference(connection, change.tenant, id, by);
}

Result<> put_route(Connection& connection, const Route& route) {
  const auto by = rows::route_referrer(route.name, route.region);
  rows::drop_references(connection, route.tenant, by);
  connection.execute(sql::kPutRoute, {{"tenant", route.tenant.str()},
                                      {"name", route.name},
                                      {"region", route.region.str()},
                                      {"document", to_json_text(route)}});
  for (const auto& id : versions_of(route)) {
    if (!rows::add_reference(connection, route.tenant, id, by)) {
      return fail(ErrorKind::kConflict, fmt::format("route {} in region {} cannot lead to module {}: it was removed",
                                                    route.name, route.region.str(), id.str()));
    }
  }
  return {};
}

void drop_route(Connection& connection, const Route& route) {
  rows::drop_references(connection, route.tenant, rows::route_referrer(route.name, route.region));
  connection.execute(sql::kDropRoute,
                     {{"tenant", route.tenant.str()}, {"name", route.name}, {"region", route.region.str()}});
}

// Returns the revision of all routes.
Result<std::int64_t> change_routes(Connection& connection, const DeploymentChange& change) {
  for (const auto* routes : {&change.dropRoutes, &change.putRoutes}) {
    for (const auto& route : *routes) {
      if (route.tenant != change.tenant) {
        return fail(ErrorKind::kInternal, fmt::format("a change of tenant {} holds a route of tenant {}",
                                                      change.tenant.str(), route.tenant.str()));
      }
    }
  }
  if (change.putRoutes.empty() && change.dropRoutes.empty()) {
    return connection.first<long long>(sql::kRouteRevision).value_or(0);
  }
  for (const auto& route : change.dropRoutes) drop_route(connection, route);
  for (const auto& route : change.putRoutes) HS_CHECK(put_route(connection, route));
  // Last: the row is shared by all tenants, and locked until the commit.
  return connection.first<long long>(sql::kBumpRouteRevision).value_or(0);
}

std::vector<Event> append(Connection& connection, const DeploymentChange& change, std::int64_t first) {
  std::vector<Event> events = change.events;
  for (Event& event : events) {
    event.sequence = first++;
    event.deploymentId = change.deployment.deploymentId;
    connection.execute(sql::kInsertEvent, {{"tenant", change.tenant.str()},
                                           {"sequence", event.sequence},
                                           {"deployment_id", event.deploymentId.str()},
                                           {"document", to_json_text(event)}});
  }
  return events;
}

std::string describe(const TenantId& tenant, const DeploymentQuery& query) {
  return json::serialize(json::array{"deployments", tenant.str(), to_json(query.status), to_json(query.moduleName),
                                     to_json(query.moduleId)});
}

struct Statement {
  std::string text;
  Parameters parameters;
};

Result<Statement> listing(const TenantId& tenant, const DeploymentQuery& query, std::size_t limit) {
  Statement statement{std::string(sql::kListDeployments), {{"tenant", tenant.str()}}};
  const auto filter = [&statement](sql::Text text, std::string_view name, std::string_view value) {
    statement.text += text;
    statement.parameters.emplace_back(name, value);
  };
  if (query.status) filter(sql::kWithStatus, "status", enum_name(*query.status));
  if (query.moduleName) filter(sql::kOfModuleName, "module_name", *query.moduleName);
  if (query.moduleId) filter(sql::kOfModule, "module_id", query.moduleId->str());
  if (query.cursor) {
    const CursorKeys shape{std::int64_t{0}, std::string()};
    HS_TRY(const CursorKeys keys, decode_cursor(describe(tenant, query), *query.cursor, shape));
    statement.text += sql::kBeforeDeployment;
    statement.parameters.emplace_back("k_created", std::get<std::int64_t>(keys[0]));
    statement.parameters.emplace_back("k_id", std::get<std::string>(keys[1]));
  }
  statement.text += sql::kByCreationDown;
  statement.text += sql::kLimit;
  statement.parameters.emplace_back("limit", limit + 1);
  return statement;
}

std::unexpected<Error> no_such_deployment(const DeploymentId& id) {
  return fail(ErrorKind::kNotFound, fmt::format("there is no deployment {}", id.str()));
}

}  // namespace

Result<AppliedChange> SqlStore::apply(const DeploymentChange& change) {
  return pool_.write([&](Connection& connection) -> Result<AppliedChange> {
    const auto count = static_cast<std::int64_t>(change.events.size());
    const std::int64_t last_event = rows::lock_tenant(connection, change.tenant, change.events.size());
    HS_CHECK(save(connection, change));
    refer_from_deployment(connection, change);
    AppliedChange applied;
    applied.revision = change.expectedRevision + 1;
    applied.events = append(connection, change, last_event - count + 1);
    HS_TRY(applied.routeRevision, change_routes(connection, change));
    rows::queue_mails(connection, change.mails);
    return applied;
  });
}

Result<TenantDeployment> SqlStore::deployment(const TenantId& tenant, const DeploymentId& id) {
  return pool_.read([&](Connection& connection) -> Result<TenantDeployment> {
    const auto found = connection.rows<std::string, long long>(sql::kDeployment,
                                                               {{"tenant", tenant.str()}, {"deployment_id", id.str()}});
    if (found.empty()) return no_such_deployment(id);
    const auto& [document, revision] = found.front();
    HS_TRY(Deployment deployment, rows::read_document<Deployment>(document));
    return TenantDeployment{tenant, std::move(deployment), revision};
  });
}

Result<Page<Deployment>> SqlStore::deployments(const TenantId& tenant, const DeploymentQuery& query) {
  const std::size_t limit = std::max<std::size_t>(query.limit, 1);
  HS_TRY(const Statement statement, listing(tenant, query, limit));
  return pool_.read([&](Connection& connection) -> Result<Page<Deployment>> {
    const auto found = connection.rows<std::string>(statement.text, statement.parameters);
    Page<Deployment> page;
    for (std::size_t i = 0; i < std::min(found.size(), limit); ++i) {
      HS_TRY(page.items.emplace_back(), rows::read_document<Deployment>(std::get<0>(found[i])));
    }
    if (found.size() > limit) {
      const Deployment& last = page.items.back();
      page.nextCursor = encode_cursor(describe(tenant, query), {created_at(last), last.deploymentId.str()});
    }
    return page;
  });
}

Result<std::vector<TenantDeployment>> SqlStore::all_unfinished_deployments() {
  return pool_.read([](Connection& connection) -> Result<std::vector<TenantDeployment>> {
    std::vector<TenantDeployment> all;
    for (const auto& [tenant, document, revision] :
         connection.rows<std::string, std::string, long long>(sql::kUnfinishedDeployments)) {
      HS_TRY(Deployment deployment, rows::read_document<Deployment>(document));
      all.push_back({TenantId(tenant), std::move(deployment), revision});
    }
    return all;
  });
}

Result<std::int64_t> SqlStore::count_deployments_since(TimePoint since) {
  return pool_.read([&](Connection& connection) -> Result<std::int64_t> {
    return connection.first<long long>(sql::kCountDeployments, {{"since", since.time_since_epoch().count()}})
        .value_or(0);
  });
}

Result<std::vector<Event>> SqlStore::events(const TenantId& tenant, const DeploymentId& id, std::int64_t after_sequence,
                                            std::size_t limit) {
  return pool_.read([&](Connection& connection) -> Result<std::vector<Event>> {
    std::vector<Event> events;
    for (const auto& [sequence, document] : connection.rows<long long, std::string>(
             sql::kEvents,
             {{"tenant", tenant.str()}, {"deployment_id", id.str()}, {"after", after_sequence}, {"limit", limit}})) {
      HS_TRY(Event event, rows::read_document<Event>(document));
      event.sequence = sequence;
      events.push_back(std::move(event));
    }
    if (events.empty() && stored_revision(connection, tenant, id) == 0) return no_such_deployment(id);
    return events;
  });
}

Result<Store::Routes> SqlStore::all_routes() {
  return pool_.read([](Connection& connection) -> Result<Routes> {
    Routes all;
    for (const auto& [revision, document] : connection.rows<long long, std::string>(sql::kAllRoutes)) {
      all.revision = revision;
      if (document.empty()) continue;
      HS_TRY(all.routes.emplace_back(), rows::read_document<Route>(document));
    }
    return all;
  });
}

}  // namespace hotswap
