#include <algorithm>

#include "store/cursor.h"
#include "store/rows.h"
#include "store/sql.h"
#include "store/sql_store.h"

namespace hotswap {
namespace {

const TenantId kPlatform;  // the tenant without a name, which no principal has

using InterfaceRow = std::tuple<long long, std::string, std::string>;

std::string document_of(WasiInterface interface) {
  interface.text = {};
  return to_json_text(interface);
}

std::unexpected<Error> no_such_interface(const InterfaceId& id) {
  return fail(ErrorKind::kNotFound, fmt::format("there is no interface {}", id.str()));
}

Result<std::optional<StoredInterface>> find(Connection& connection, const TenantId& tenant, const InterfaceId& id) {
  const auto found = connection.rows<long long, std::string, std::string>(
      sql::kInterface, {{"tenant", tenant.str()}, {"interface_id", id.str()}});
  if (found.empty()) return std::nullopt;
  const auto& [revision, document, texts] = found.front();
  StoredInterface stored{.interface = {}, .revision = revision};
  HS_TRY(stored.interface, rows::read_document<WasiInterface>(document));
  HS_TRY(stored.interface.text, rows::read_document<InterfaceText>(texts));
  return stored;
}

void insert(Connection& connection, const TenantId& tenant, const WasiInterface& interface) {
  connection.execute(sql::kInsertInterface, {{"tenant", tenant.str()},
                                             {"interface_id", interface.interfaceId.str()},
                                             {"package_namespace", interface.packageNamespace},
                                             {"name", interface.name},
                                             {"version_key", version_key(interface.version)},
                                             {"status", enum_name(interface.status)},
                                             {"checksum", interface.checksum.hex()},
                                             {"document", document_of(interface)},
                                             {"texts", to_json_text(interface.text)}});
}

void replace(Connection& connection, const TenantId& tenant, const WasiInterface& interface) {
  connection.execute(sql::kReplaceInterface, {{"status", enum_name(interface.status)},
                                              {"checksum", interface.checksum.hex()},
                                              {"document", document_of(interface)},
                                              {"texts", to_json_text(interface.text)},
                                              {"tenant", tenant.str()},
                                              {"interface_id", interface.interfaceId.str()}});
}

Result<std::vector<WasiInterface>> read_all(const std::vector<std::tuple<std::string>>& found) {
  std::vector<WasiInterface> all;
  all.reserve(found.size());
  for (const auto& [document] : found) {
    HS_TRY(all.emplace_back(), rows::read_document<WasiInterface>(document));
  }
  return all;
}

CursorKeys keys_of(const WasiInterface& interface) {
  return {interface.packageNamespace, interface.name, version_key(interface.version), interface.interfaceId.str()};
}

std::string describe(const TenantId& tenant, const InterfaceQuery& query) {
  return json::serialize(json::array{"interfaces", tenant.str(), to_json(query.packageNamespace), to_json(query.name),
                                     to_json(query.status)});
}

}  // namespace

Result<AddedInterface> SqlStore::add_interface(const TenantId& tenant, const WasiInterface& interface) {
  return pool_.write([&](Connection& connection) -> Result<AddedInterface> {
    rows::lock_tenant(connection, tenant);
    HS_TRY(auto existing, find(connection, tenant, interface.interfaceId));
    if (!existing) {
      const auto count = connection.first<long long>(sql::kCountInterfaces, {{"tenant", tenant.str()}}).value_or(0);
      if (count >= static_cast<long long>(kInterfacesPerTenant)) {
        return fail(ErrorKind::kConflict,
                    fmt::format("the registry is full: it holds {} interfaces", kInterfacesPerTenant));
      }
      insert(connection, tenant, interface);
      return AddedInterface{interface, false};
    }
    const WasiInterface& there = existing->interface;
    if (there.checksum == interface.checksum && there.status != InterfaceStatus::Rejected) {
      return AddedInterface{std::move(existing->interface), true};
    }
    const bool open = there.status == InterfaceStatus::Draft || there.status == InterfaceStatus::Rejected;
    if (there.platform || !open) {
      return fail(ErrorKind::kConflict,
                  fmt::format("interface {} is {} with another text; a version that was submitted is immutable: "
                              "register the new text under a new version",
                              interface.interfaceId.str(), enum_name(there.status)));
    }
    replace(connection, tenant, interface);
    return AddedInterface{interface, false};
  });
}

Result<StoredInterface> SqlStore::interface(const TenantId& tenant, const InterfaceId& id) {
  return pool_.read([&](Connection& connection) -> Result<StoredInterface> {
    HS_TRY(auto found, find(connection, tenant, id));
    if (!found) return no_such_interface(id);
    return *std::move(found);
  });
}

Result<Page<WasiInterface>> SqlStore::interfaces(const TenantId& tenant, const InterfaceQuery& query) {
  const std::size_t limit = std::max<std::size_t>(query.limit, 1);
  std::string text(sql::kListInterfaces);
  Parameters parameters{{"tenant", tenant.str()}};
  const auto filter = [&](sql::Text condition, std::string_view name, std::string_view value) {
    text += condition;
    parameters.emplace_back(name, value);
  };
  if (query.packageNamespace) filter(sql::kOfNamespace, "package_namespace", *query.packageNamespace);
  if (query.name) filter(sql::kWithName, "name", *query.name);
  if (query.status) filter(sql::kWithStatus, "status", enum_name(*query.status));
  if (query.cursor) {
    HS_TRY(const CursorKeys keys, decode_cursor(describe(tenant, query), *query.cursor, keys_of({})));
    text += sql::kAfterInterface;
    std::size_t next = 0;
    for (const std::string_view name : {"k_namespace", "k_name", "k_version", "k_id"}) {
      parameters.emplace_back(name, std::get<std::string>(keys[next++]));
    }
  }
  text += sql::kByInterface;
  text += sql::kLimit;
  parameters.emplace_back("limit", limit + 1);
  return pool_.read([&](Connection& connection) -> Result<Page<WasiInterface>> {
    auto found = connection.rows<std::string>(text, parameters);
    const bool more = found.size() > limit;
    if (more) found.resize(limit);
    Page<WasiInterface> page;
    HS_TRY(page.items, read_all(found));
    if (more) page.nextCursor = encode_cursor(describe(tenant, query), keys_of(page.items.back()));
    return page;
  });
}

Result<std::vector<WasiInterface>> SqlStore::all_interfaces(const TenantId& tenant) {
  return pool_.read([&](Connection& connection) {
    const std::string text = std::string(sql::kListInterfaces) + std::string(sql::kByInterface);
    return read_all(connection.rows<std::string>(text, {{"tenant", tenant.str()}}));
  });
}

Result<> SqlStore::change_interface(const TenantId& tenant, const StoredInterface& changed,
                                    const std::vector<Mail>& mails) {
  return pool_.write([&](Connection& connection) -> Result<> {
    rows::lock_tenant(connection, tenant);
    const auto& interface = changed.interface;
    const auto revision =
        connection.first<long long>(sql::kUpdateInterface, {{"status", enum_name(interface.status)},
                                                            {"document", document_of(interface)},
                                                            {"tenant", tenant.str()},
                                                            {"interface_id", interface.interfaceId.str()},
                                                            {"expected", changed.revision}});
    if (revision) {
      rows::queue_mails(connection, mails);
      return {};
    }
    return fail(ErrorKind::kConflict, fmt::format("interface {} has been changed by somebody else meanwhile; try again",
                                                  interface.interfaceId.str()));
  });
}

Result<> SqlStore::put_platform_interfaces(const std::vector<WasiInterface>& interfaces) {
  return pool_.write([&](Connection& connection) -> Result<> {
    rows::lock_tenant(connection, kPlatform);
    std::map<std::string, std::string> there;
    for (auto& [id, checksum] : connection.rows<std::string, std::string>(sql::kPlatformInterfaces)) {
      there.emplace(std::move(id), std::move(checksum));
    }
    for (const auto& interface : interfaces) {
      const auto known = there.extract(interface.interfaceId.str());
      if (known.empty()) {
        insert(connection, kPlatform, interface);
      } else if (known.mapped() != interface.checksum.hex()) {
        replace(connection, kPlatform, interface);
      }
    }
    for (const auto& [id, checksum] : there) {
      connection.execute(sql::kDropPlatformInterface, {{"interface_id", id}});
    }
    return {};
  });
}

}  // namespace hotswap
