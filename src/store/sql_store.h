// Store over SOCI. The statements stand in sql.h, the schema in migrations.cc.
#pragma once

#include "store/connection_pool.h"
#include "store/store.h"

namespace hotswap {

class SqlStore final : public Store {
 public:
  explicit SqlStore(StoreAddress address, std::size_t connections);
  // Applies missing migrations.
  [[nodiscard]] Result<> prepare();

  Result<AddedModule> add_module(const TenantId& tenant, const Module& module, std::size_t keep_versions) override;
  Result<Module> module(const TenantId& tenant, const ModuleId& id) override;
  Result<Page<Module>> modules(const TenantId& tenant, const ModuleQuery& query) override;
  Result<Module> update_module(const TenantId& tenant, const ModuleId& id, const ModulePatch& patch,
                               TimePoint now) override;
  Result<Module> remove_module(const TenantId& tenant, const ModuleId& id) override;
  Result<std::int64_t> count_modules() override;
  Result<bool> digest_in_use(const Digest& digest) override;
  Result<> add_invocations(const std::vector<InvocationCount>& counts) override;
  Result<std::vector<TenantModule>> all_referenced_modules() override;

  Result<AppliedChange> apply(const DeploymentChange& change) override;
  Result<TenantDeployment> deployment(const TenantId& tenant, const DeploymentId& id) override;
  Result<Page<Deployment>> deployments(const TenantId& tenant, const DeploymentQuery& query) override;
  Result<std::vector<TenantDeployment>> all_unfinished_deployments() override;
  Result<std::int64_t> count_deployments_since(TimePoint since) override;
  Result<std::vector<Event>> events(const TenantId& tenant, const DeploymentId& id, std::int64_t after_sequence,
                                    std::size_t limit) override;
  Result<Routes> all_routes() override;

  Result<> put_node(const NodeRecord& node) override;
  Result<> remove_node(const NodeId& id) override;
  Result<std::vector<NodeRecord>> all_nodes() override;
  Result<> put_join_token(const JoinToken& token, const std::optional<Digest>& secret) override;
  Result<std::optional<JoinToken>> join_token_by_secret(const Digest& secret) override;
  Result<JoinToken> join_token(const std::string& id) override;
  Result<std::vector<JoinToken>> join_tokens() override;
  Result<std::int64_t> add_scaling_event(const ScalingEvent& event, bool tell) override;
  Result<Page<ScalingEvent>> scaling_events(const ScalingQuery& query) override;
  Result<std::optional<ScalingEvent>> untold_scaling_event() override;
  Result<> scaling_event_told(std::int64_t sequence) override;
  Result<AddedInterface> add_interface(const TenantId& tenant, const WasiInterface& interface) override;
  Result<StoredInterface> interface(const TenantId& tenant, const InterfaceId& id) override;
  Result<Page<WasiInterface>> interfaces(const TenantId& tenant, const InterfaceQuery& query) override;
  Result<std::vector<WasiInterface>> all_interfaces(const TenantId& tenant) override;
  Result<> change_interface(const TenantId& tenant, const StoredInterface& changed,
                            const std::vector<Mail>& mails) override;
  Result<std::optional<QueuedMail>> next_mail() override;
  Result<> drop_mail(std::int64_t sequence) override;
  Result<> postpone_mail(std::int64_t sequence, TimePoint due) override;
  Result<> put_platform_interfaces(const std::vector<WasiInterface>& interfaces) override;
  Result<> ping() override;

 private:
  ConnectionPool pool_;
};

}  // namespace hotswap
