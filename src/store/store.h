// What is persisted as rows. One SQL text serves SQLite and PostgreSQL.
//
// Every method blocks (run it on the store's BlockingPool), is one transaction, and may be called from any thread.
// What a method acknowledged survives a crash at any later moment; what it did not acknowledge is wholly absent.
// Every method takes the tenant whose rows it may see; none crosses it, except all_* which serve the control plane.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/deployment.h"
#include "model/interface.h"
#include "model/mail.h"
#include "model/module.h"
#include "model/node.h"
#include "model/route.h"
#include "model/scaling.h"

namespace hotswap {

template <class T>
struct Page {
  std::vector<T> items;
  std::optional<std::string> nextCursor;  // absent on the last page
};

enum class ModuleOrder { name, registeredAt, sizeBytes };
BOOST_DESCRIBE_ENUM(ModuleOrder, name, registeredAt, sizeBytes)

struct ModuleQuery {
  std::optional<std::string> name = {};  // exactly
  std::optional<ModuleStatus> status = {};
  std::optional<std::string> text = {};   // part of name or description, without case
  ModuleOrder order = ModuleOrder::name;  // name = by name, then version
  bool descending = false;
  std::size_t limit = 50;
  std::optional<std::string> cursor = {};  // a Page's nextCursor; opaque; kInvalid where it is not one of this query's
};

struct DeploymentQuery {
  std::optional<DeploymentStatus> status = {};
  std::optional<std::string> moduleName = {};
  std::optional<ModuleId> moduleId = {};
  std::size_t limit = 50;
  std::optional<std::string> cursor = {};
};  // newest first

struct ScalingQuery {
  std::optional<Region> region = {};
  std::size_t limit = 50;
  std::optional<std::string> cursor = {};
};  // newest first

struct InterfaceQuery {
  std::optional<std::string> packageNamespace = {};  // exactly, as all of these
  std::optional<std::string> name = {};
  std::optional<InterfaceStatus> status = {};
  std::size_t limit = 50;
  std::optional<std::string> cursor = {};
};  // by namespace, name and version

struct StoredInterface {
  WasiInterface interface;
  std::int64_t revision = 0;  // grows with every change
};

struct AddedInterface {
  WasiInterface interface;  // as stored: the existing one where it was there already
  bool existed = false;     // same id, same text: idempotent
};

struct TenantModule {
  TenantId tenant;
  Module module;
};

struct TenantDeployment {
  TenantId tenant;
  Deployment deployment;
  std::int64_t revision = 0;  // grows with every save; for optimistic concurrency
};

// A change of a deployment with all that belongs to it, applied in one transaction.
struct DeploymentChange {
  TenantId tenant;
  Deployment deployment;
  std::int64_t expectedRevision = 0;  // kConflict where the stored one differs; 0 = insert
  std::vector<Event> events;          // sequences are assigned by the store
  std::vector<Route> putRoutes;       // insert or replace by (tenant, name, region)
  std::vector<Route> dropRoutes;      // by (tenant, name, region)
  std::vector<Mail> mails = {};       // to be sent because of it
};

struct AppliedChange {
  std::int64_t revision = 0;       // the deployment's
  std::int64_t routeRevision = 0;  // of all routes together; grew if routes changed
  std::vector<Event> events;       // with their sequences
};

struct AddedModule {
  Module module;                // as stored: the existing one where it was there already
  bool existed = false;         // same id, same checksum: idempotent
  std::vector<Module> removed;  // by retention
};

class Store {
 public:
  virtual ~Store() = default;

  // ---- modules
  // kConflict where the id exists with another checksum. Applies retention to the name's versions.
  virtual Result<AddedModule> add_module(const TenantId& tenant, const Module& module, std::size_t keep_versions) = 0;
  virtual Result<Module> module(const TenantId& tenant, const ModuleId& id) = 0;
  virtual Result<Page<Module>> modules(const TenantId& tenant, const ModuleQuery& query) = 0;
  virtual Result<Module> update_module(const TenantId& tenant, const ModuleId& id, const ModulePatch& patch,
                                       TimePoint now) = 0;
  // kConflict, naming what refers to it, while a route or an unfinished deployment does.
  virtual Result<Module> remove_module(const TenantId& tenant, const ModuleId& id) = 0;
  virtual Result<std::int64_t> count_modules() = 0;
  // Whether any module of any tenant has this binary.
  virtual Result<bool> digest_in_use(const Digest& digest) = 0;
  struct InvocationCount {
    TenantId tenant;
    ModuleId moduleId;
    std::int64_t count = 0;
  };
  virtual Result<> add_invocations(const std::vector<InvocationCount>& counts) = 0;
  // Versions that routes or unfinished deployments refer to.
  virtual Result<std::vector<TenantModule>> all_referenced_modules() = 0;

  // ---- deployments, routes, events
  virtual Result<AppliedChange> apply(const DeploymentChange& change) = 0;
  virtual Result<TenantDeployment> deployment(const TenantId& tenant, const DeploymentId& id) = 0;
  virtual Result<Page<Deployment>> deployments(const TenantId& tenant, const DeploymentQuery& query) = 0;
  virtual Result<std::vector<TenantDeployment>> all_unfinished_deployments() = 0;
  // Created later than `since`, by any tenant.
  virtual Result<std::int64_t> count_deployments_since(TimePoint since) = 0;
  virtual Result<std::vector<Event>> events(const TenantId& tenant, const DeploymentId& id, std::int64_t after_sequence,
                                            std::size_t limit) = 0;
  struct Routes {
    std::int64_t revision = 0;
    std::vector<Route> routes;
  };
  virtual Result<Routes> all_routes() = 0;

  // ---- nodes, which belong to the platform and to no tenant
  virtual Result<> put_node(const NodeRecord& node) = 0;
  // Absent is success.
  virtual Result<> remove_node(const NodeId& id) = 0;
  virtual Result<std::vector<NodeRecord>> all_nodes() = 0;
  // `secret` is set where the token is new; kConflict where it would be one more than limits::kJoinTokens.
  virtual Result<> put_join_token(const JoinToken& token, const std::optional<Digest>& secret) = 0;
  virtual Result<std::optional<JoinToken>> join_token_by_secret(const Digest& secret) = 0;
  // kNotFound where there is none.
  virtual Result<JoinToken> join_token(const std::string& id) = 0;
  // Oldest first.
  virtual Result<std::vector<JoinToken>> join_tokens() = 0;

  // ---- decisions about the number of nodes, which belong to the platform as nodes do
  // Appends one, and drops those that are more than limits::kScalingEventsKept before it. `tell`: somebody is to be
  // told of it. Returns its sequence.
  virtual Result<std::int64_t> add_scaling_event(const ScalingEvent& event, bool tell) = 0;
  virtual Result<Page<ScalingEvent>> scaling_events(const ScalingQuery& query) = 0;
  // The oldest that is yet to be told.
  virtual Result<std::optional<ScalingEvent>> untold_scaling_event() = 0;
  virtual Result<> scaling_event_told(std::int64_t sequence) = 0;

  // ---- interfaces: a tenant's own, and the platform's, which every tenant sees
  // A Draft or a Rejected one of the same id is replaced; any other with another text is kConflict, and so is one more
  // than kInterfacesPerTenant.
  virtual Result<AddedInterface> add_interface(const TenantId& tenant, const WasiInterface& interface) = 0;
  // With its text.
  virtual Result<StoredInterface> interface(const TenantId& tenant, const InterfaceId& id) = 0;
  // Without the texts.
  virtual Result<Page<WasiInterface>> interfaces(const TenantId& tenant, const InterfaceQuery& query) = 0;
  virtual Result<std::vector<WasiInterface>> all_interfaces(const TenantId& tenant) = 0;
  // Everything but the text, and the mails that are to be sent because of it. kConflict where it has changed since
  // `changed` was read.
  virtual Result<> change_interface(const TenantId& tenant, const StoredInterface& changed,
                                    const std::vector<Mail>& mails) = 0;
  // Those of this build; the rows of others go.
  virtual Result<> put_platform_interfaces(const std::vector<WasiInterface>& interfaces) = 0;

  // ---- mail that waits to be sent; of more than kMailsKept the oldest goes
  // The one that is due first, perhaps later than now.
  virtual Result<std::optional<QueuedMail>> next_mail() = 0;
  // It was sent, or is given up.
  virtual Result<> drop_mail(std::int64_t sequence) = 0;
  // A try failed.
  virtual Result<> postpone_mail(std::int64_t sequence, TimePoint due) = 0;

  // Answers whether rows can be read now (readiness).
  virtual Result<> ping() = 0;
};

struct StoreOptions {
  std::string url;  // "sqlite:///path/to/file.db" or "postgresql://user:password@host:port/database"
  std::size_t connections = 4;
};

// Opens the store and applies the migrations that it lacks, each in a transaction. A store written by a newer HotSwap
// is refused.
[[nodiscard]] Result<std::unique_ptr<Store>> open_store(const StoreOptions& options);

}  // namespace hotswap
