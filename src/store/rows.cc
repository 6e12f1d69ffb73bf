#include "store/rows.h"

#include "store/sql.h"

namespace hotswap::rows {
namespace {

constexpr std::string_view kRoute = "route";
constexpr std::string_view kDeployment = "deployment";
constexpr std::string_view kPin = "pin";
// How many referrers an error names.
constexpr std::size_t kNamed = 10;

}  // namespace

Result<Module> read_module(const ModuleRow& row) {
  HS_TRY(Module module, read_document<Module>(std::get<0>(row)));
  module.deploymentCount = std::get<1>(row);
  module.invocationCount = std::get<2>(row);
  return module;
}

Result<std::optional<Module>> find_module(Connection& connection, const TenantId& tenant, const ModuleId& id) {
  const auto found = connection.rows<std::string, long long, long long>(
      sql::kModule, {{"tenant", tenant.str()}, {"module_id", id.str()}});
  if (found.empty()) return std::nullopt;
  HS_TRY(Module module, read_module(found.front()));
  return module;
}

std::int64_t lock_tenant(Connection& connection, const TenantId& tenant, std::size_t count) {
  return connection.first<long long>(sql::kTakeSequences, {{"tenant", tenant.str()}, {"count", count}}).value_or(0);
}

Referrer route_referrer(std::string name, const Region& region) { return {kRoute, std::move(name), region.str()}; }

Referrer deployment_referrer(const DeploymentId& id) { return {kDeployment, id.str(), {}}; }

Referrer pin_referrer(const NodeId& node) { return {kPin, node.str(), {}}; }

bool add_reference(Connection& connection, const TenantId& tenant, const ModuleId& module, const Referrer& by) {
  return connection
      .first<std::string>(sql::kAddReference, {{"tenant", tenant.str()},
                                               {"module_id", module.str()},
                                               {"kind", by.kind},
                                               {"referrer", by.name},
                                               {"region", by.region}})
      .has_value();
}

void drop_references(Connection& connection, const TenantId& tenant, const Referrer& by) {
  connection.execute(sql::kDropReferences,
                     {{"tenant", tenant.str()}, {"kind", by.kind}, {"referrer", by.name}, {"region", by.region}});
}

std::string referrers(Connection& connection, const TenantId& tenant, const ModuleId& module) {
  const auto found = connection.rows<std::string, std::string, std::string>(
      sql::kReferencesTo, {{"tenant", tenant.str()}, {"module_id", module.str()}, {"limit", kNamed + 1}});
  std::string text;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i > 0) text += ", ";
    if (i == kNamed) return text + "and more";
    const auto& [kind, name, region] = found[i];
    if (kind == kRoute) {
      text += fmt::format("route {} in region {}", name, region);
    } else {
      text += fmt::format("{} {}", kind == kPin ? "a pin to node" : "deployment", name);
    }
  }
  return text;
}

void queue_mails(Connection& connection, const std::vector<Mail>& mails) {
  for (const auto& mail : mails) {
    const std::int64_t sequence = connection.first<long long>(sql::kTakeMailSequence).value_or(0);
    connection.execute(
        sql::kInsertMail,
        {{"sequence", sequence}, {"due", mail.at.time_since_epoch().count()}, {"document", to_json_text(mail)}});
    connection.execute(sql::kDropMails, {{"sequence", sequence - static_cast<std::int64_t>(kMailsKept)}});
  }
}

}  // namespace hotswap::rows
