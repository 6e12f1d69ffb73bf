#include <algorithm>
#include <iterator>

#include "store/cursor.h"
#include "store/rows.h"
#include "store/sql.h"
#include "store/sql_store.h"
#include "store/text_search.h"

namespace hotswap {
namespace {

std::string search_text(const Module& module) {
  return fold_case(module.name) + '\n' + fold_case(module.description.value_or(""));
}

std::int64_t milliseconds_of(TimePoint time) { return time.time_since_epoch().count(); }

std::unexpected<Error> no_such_module(const ModuleId& id) {
  return fail(ErrorKind::kNotFound, fmt::format("there is no module {}", id.str()));
}

void insert_module(Connection& connection, const TenantId& tenant, const Module& module) {
  connection.execute(sql::kInsertModule, {{"tenant", tenant.str()},
                                          {"module_id", module.moduleId.str()},
                                          {"name", module.name},
                                          {"major", module.version.major},
                                          {"minor", module.version.minor},
                                          {"patch", module.version.patch},
                                          {"status", enum_name(module.status)},
                                          {"checksum", module.checksum.hex()},
                                          {"size_bytes", module.sizeBytes},
                                          {"registered_at", milliseconds_of(module.registeredAt)},
                                          {"search_text", search_text(module)},
                                          {"deployment_count", module.deploymentCount},
                                          {"invocation_count", module.invocationCount},
                                          {"document", to_json_text(module)}});
}

void delete_module(Connection& connection, const TenantId& tenant, const ModuleId& id) {
  connection.execute(sql::kDeleteModule, {{"tenant", tenant.str()}, {"module_id", id.str()}});
}

// Removes what the rule of FR-WASM-009 names. The version just registered stays even where it is older than `keep`
// others: its client was told that it is there.
Result<std::vector<Module>> retain(Connection& connection, const TenantId& tenant, const Module& added,
                                   std::size_t keep) {
  std::vector<RetentionCandidate> candidates;
  for (const auto& [id, major, minor, patch, referenced] :
       connection.rows<std::string, long long, long long, long long, long long>(
           sql::kRetentionCandidates, {{"tenant", tenant.str()}, {"name", added.name}})) {
    const Version version{static_cast<std::int32_t>(major), static_cast<std::int32_t>(minor),
                          static_cast<std::int32_t>(patch)};
    candidates.push_back({version, referenced != 0 || version == added.version});
  }
  std::vector<Module> removed;
  for (const Version& version : versions_to_remove(std::move(candidates), keep)) {
    const ModuleId id = module_id(added.name, version);
    HS_TRY(auto module, rows::find_module(connection, tenant, id));
    if (!module) continue;
    delete_module(connection, tenant, id);
    removed.push_back(*std::move(module));
  }
  return removed;
}

// One of the listing's orders: its SQL, and the keys of a row in that order.
struct Ordering {
  sql::Text after;
  sql::Text by;
  bool has_first = false;  // a key before name and version
};

Ordering ordering_of(const ModuleQuery& query) {
  const bool down = query.descending;
  switch (query.order) {
    case ModuleOrder::registeredAt:
      return {down ? sql::kBeforeRegistration : sql::kAfterRegistration,
              down ? sql::kByRegistrationDown : sql::kByRegistration, true};
    case ModuleOrder::sizeBytes:
      return {down ? sql::kBeforeSize : sql::kAfterSize, down ? sql::kBySizeDown : sql::kBySize, true};
    case ModuleOrder::name:
      break;
  }
  return {down ? sql::kBeforeName : sql::kAfterName, down ? sql::kByNameDown : sql::kByName, false};
}

CursorKeys keys_of(const Module& module, ModuleOrder order) {
  CursorKeys keys;
  if (order == ModuleOrder::registeredAt) keys.emplace_back(milliseconds_of(module.registeredAt));
  if (order == ModuleOrder::sizeBytes) keys.emplace_back(static_cast<std::int64_t>(module.sizeBytes));
  keys.emplace_back(module.name);
  for (const auto part : {module.version.major, module.version.minor, module.version.patch}) {
    keys.emplace_back(std::int64_t{part});
  }
  return keys;
}

void add_key(Parameters& parameters, std::string_view name, const CursorKey& key) {
  std::visit([&](const auto& value) { parameters.emplace_back(name, value); }, key);
}

struct Statement {
  std::string text;
  Parameters parameters;
};

// What a cursor must agree with.
std::string describe(const TenantId& tenant, const ModuleQuery& query) {
  return json::serialize(json::array{"modules", tenant.str(), to_json(query.name), to_json(query.status),
                                     to_json(query.text), to_json(query.order), query.descending});
}

Result<Statement> listing(const TenantId& tenant, const ModuleQuery& query, std::size_t limit) {
  Statement statement{std::string(sql::kListModules), {{"tenant", tenant.str()}}};
  const auto filter = [&statement](sql::Text text, std::string_view name, std::string_view value) {
    statement.text += text;
    statement.parameters.emplace_back(name, value);
  };
  if (query.name) filter(sql::kWithName, "name", *query.name);
  if (query.status) filter(sql::kWithStatus, "status", enum_name(*query.status));
  if (query.text) filter(sql::kWithText, "pattern", contains_pattern(*query.text));
  const Ordering ordering = ordering_of(query);
  if (query.cursor) {
    HS_TRY(const CursorKeys keys,
           decode_cursor(describe(tenant, query), *query.cursor, keys_of(Module{}, query.order)));
    statement.text += ordering.after;
    std::size_t next = 0;
    if (ordering.has_first) add_key(statement.parameters, "k_first", keys[next++]);
    for (const std::string_view name : {"k_name", "k_major", "k_minor", "k_patch"}) {
      add_key(statement.parameters, name, keys[next++]);
    }
  }
  statement.text += ordering.by;
  statement.text += sql::kLimit;
  statement.parameters.emplace_back("limit", limit + 1);
  return statement;
}

}  // namespace

Result<AddedModule> SqlStore::add_module(const TenantId& tenant, const Module& module, std::size_t keep_versions) {
  return pool_.write([&](Connection& connection) -> Result<AddedModule> {
    rows::lock_tenant(connection, tenant);
    HS_TRY(auto existing, rows::find_module(connection, tenant, module.moduleId));
    if (existing && existing->checksum == module.checksum) return AddedModule{*std::move(existing), true, {}};
    if (existing) {
      return fail(ErrorKind::kConflict,
                  fmt::format("module {} is already registered with other content (SHA-256 {}, this upload has {}); "
                              "a version is immutable: register the new content under a new version",
                              module.moduleId.str(), existing->checksum.hex(), module.checksum.hex()));
    }
    insert_module(connection, tenant, module);
    HS_TRY(auto removed, retain(connection, tenant, module, keep_versions));
    return AddedModule{module, false, std::move(removed)};
  });
}

Result<Module> SqlStore::module(const TenantId& tenant, const ModuleId& id) {
  return pool_.read([&](Connection& connection) -> Result<Module> {
    HS_TRY(auto found, rows::find_module(connection, tenant, id));
    if (!found) return no_such_module(id);
    return *std::move(found);
  });
}

Result<Page<Module>> SqlStore::modules(const TenantId& tenant, const ModuleQuery& query) {
  const std::size_t limit = std::max<std::size_t>(query.limit, 1);
  HS_TRY(const Statement statement, listing(tenant, query, limit));
  return pool_.read([&](Connection& connection) -> Result<Page<Module>> {
    const auto found = connection.rows<std::string, long long, long long>(statement.text, statement.parameters);
    Page<Module> page;
    page.items.reserve(std::min(found.size(), limit));
    for (std::size_t i = 0; i < std::min(found.size(), limit); ++i) {
      HS_TRY(page.items.emplace_back(), rows::read_module(found[i]));
    }
    if (found.size() > limit) {
      page.nextCursor = encode_cursor(describe(tenant, query), keys_of(page.items.back(), query.order));
    }
    return page;
  });
}

Result<Module> SqlStore::update_module(const TenantId& tenant, const ModuleId& id, const ModulePatch& patch,
                                       TimePoint now) {
  return pool_.write([&](Connection& connection) -> Result<Module> {
    rows::lock_tenant(connection, tenant);
    HS_TRY(auto found, rows::find_module(connection, tenant, id));
    if (!found) return no_such_module(id);
    Module module = *std::move(found);
    if (patch.status) module.status = *patch.status;
    if (patch.description) module.description = patch.description;
    if (patch.metadata) module.metadata = *patch.metadata;
    module.updatedAt = now;
    connection.execute(sql::kUpdateModule, {{"tenant", tenant.str()},
                                            {"module_id", id.str()},
                                            {"status", enum_name(module.status)},
                                            {"search_text", search_text(module)},
                                            {"document", to_json_text(module)}});
    return module;
  });
}

Result<Module> SqlStore::remove_module(const TenantId& tenant, const ModuleId& id) {
  return pool_.write([&](Connection& connection) -> Result<Module> {
    rows::lock_tenant(connection, tenant);
    HS_TRY(auto found, rows::find_module(connection, tenant, id));
    if (!found) return no_such_module(id);
    if (const auto by = rows::referrers(connection, tenant, id); !by.empty()) {
      return fail(ErrorKind::kConflict,
                  fmt::format("module {} is in use by {}; deploy another version in its place, or "
                              "end the deployment, and try again",
                              id.str(), by));
    }
    delete_module(connection, tenant, id);
    return *std::move(found);
  });
}

Result<std::int64_t> SqlStore::count_modules() {
  return pool_.read([](Connection& connection) -> Result<std::int64_t> {
    return connection.first<long long>(sql::kCountModules).value_or(0);
  });
}

Result<bool> SqlStore::digest_in_use(const Digest& digest) {
  return pool_.read([&](Connection& connection) -> Result<bool> {
    return connection.first<long long>(sql::kDigestInUse, {{"checksum", digest.hex()}}).has_value();
  });
}

Result<> SqlStore::add_invocations(const std::vector<InvocationCount>& counts) {
  if (counts.empty()) return {};
  // In one order, so that two batches at once cannot wait for each other's rows.
  std::vector<InvocationCount> ordered = counts;
  std::ranges::sort(ordered, {}, [](const auto& count) { return std::pair(count.tenant, count.moduleId); });
  return pool_.write([&](Connection& connection) -> Result<> {
    const TenantId* locked = nullptr;
    for (const auto& count : ordered) {
      if (locked == nullptr || *locked != count.tenant) rows::lock_tenant(connection, count.tenant);
      locked = &count.tenant;
      connection.execute(sql::kAddInvocations,
                         {{"tenant", count.tenant.str()}, {"module_id", count.moduleId.str()}, {"count", count.count}});
    }
    return {};
  });
}

Result<std::vector<TenantModule>> SqlStore::all_referenced_modules() {
  return pool_.read([](Connection& connection) -> Result<std::vector<TenantModule>> {
    const auto found = connection.rows<std::string, std::string, long long, long long>(sql::kReferencedModules);
    std::vector<TenantModule> modules;
    modules.reserve(found.size());
    for (const auto& [tenant, document, deployments, invocations] : found) {
      HS_TRY(Module module, rows::read_module({document, deployments, invocations}));
      modules.push_back({TenantId(tenant), std::move(module)});
    }
    return modules;
  });
}

}  // namespace hotswap
