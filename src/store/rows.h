// What several statements share: reading documents, taking a tenant's lock, references to modules, mail.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "base/json.h"
#include "model/mail.h"
#include "model/module.h"
#include "store/connection.h"

namespace hotswap::rows {

// A row's document. That it cannot be read is this program's fault, not the client's.
template <class T>
[[nodiscard]] Result<T> read_document(std::string_view document) {
  auto value = from_json_text<T>(document);
  if (!value) return fail(ErrorKind::kInternal, "a stored document cannot be read: " + value.error().detail);
  return value;
}

// document, deployment_count, invocation_count: the counters are columns, and the document's are stale.
using ModuleRow = std::tuple<std::string, long long, long long>;
[[nodiscard]] Result<Module> read_module(const ModuleRow& row);
[[nodiscard]] Result<std::optional<Module>> find_module(Connection& connection, const TenantId& tenant,
                                                        const ModuleId& id);

// Puts the writes of a tenant in a row until the transaction ends, and takes `count` event sequences; returns the last.
std::int64_t lock_tenant(Connection& connection, const TenantId& tenant, std::size_t count = 0);

// Who refers to a module: a route (name and region), a deployment (id) or a node that it is pinned to (id).
struct Referrer {
  std::string_view kind;
  std::string name;
  std::string region;
};
[[nodiscard]] Referrer route_referrer(std::string name, const Region& region);
[[nodiscard]] Referrer deployment_referrer(const DeploymentId& id);
[[nodiscard]] Referrer pin_referrer(const NodeId& node);
// False where the module is not there.
bool add_reference(Connection& connection, const TenantId& tenant, const ModuleId& module, const Referrer& by);
void drop_references(Connection& connection, const TenantId& tenant, const Referrer& by);
// "route greeter in region eu, deployment 7f…"; empty where nothing refers to the module.
[[nodiscard]] std::string referrers(Connection& connection, const TenantId& tenant, const ModuleId& module);

// In the transaction of what they tell of. Drops those that are more than kMailsKept before them.
void queue_mails(Connection& connection, const std::vector<Mail>& mails);

}  // namespace hotswap::rows
