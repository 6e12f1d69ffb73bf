// For tests: a store whose connection breaks when a test wants it to.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "store/store.h"

namespace hotswap::control {

// Stands between the control plane and the store, and breaks the connection at the moments that a test chooses.
class FlakyStore final : public Store {
 public:
  explicit FlakyStore(std::unique_ptr<Store> store) : store_(std::move(store)) {}
  enum class Fault { none, lose_change, lose_answer };
  // Of the next change.
  void break_next(Fault fault) { fault_ = fault; }

  Result<AddedModule> add_module(const TenantId& tenant, const Module& module, std::size_t keep) override {
    return store_->add_module(tenant, module, keep);
  }
  Result<Module> module(const TenantId& tenant, const ModuleId& id) override { return store_->module(tenant, id); }
  Result<Page<Module>> modules(const TenantId& tenant, const ModuleQuery& query) override {
    return store_->modules(tenant, query);
  }
  Result<Module> update_module(const TenantId& tenant, const ModuleId& id, const ModulePatch& patch,
                               TimePoint now) override {
    return store_->update_module(tenant, id, patch, now);
  }
  Result<Module> remove_module(const TenantId& tenant, const ModuleId& id) override {
    return store_->remove_module(tenant, id);
  }
  Result<std::int64_t> count_modules() override { return store_->count_modules(); }
  Result<bool> digest_in_use(const Digest& digest) override { return store_->digest_in_use(digest); }
  Result<> add_invocations(const std::vector<InvocationCount>& counts) override {
    return store_->add_invocations(counts);
  }
  Result<std::vector<TenantModule>> all_referenced_modules() override { return store_->all_referenced_modules(); }
  Result<AppliedChange> apply(const DeploymentChange& change) override {
    const Fault fault = fault_.exchange(Fault::none);
    if (fault == Fault::lose_change) return fail(ErrorKind::kUnavailable, "connection lost");
    auto applied = store_->apply(change);
    if (fault == Fault::lose_answer) return fail(ErrorKind::kUnavailable, "connection lost");
    return applied;
  }
  Result<TenantDeployment> deployment(const TenantId& tenant, const DeploymentId& id) override {
    return store_->deployment(tenant, id);
  }
  Result<Page<Deployment>> deployments(const TenantId& tenant, const DeploymentQuery& query) override {
    return store_->deployments(tenant, query);
  }
  Result<std::vector<TenantDeployment>> all_unfinished_deployments() override {
    return store_->all_unfinished_deployments();
  }
  Result<std::int64_t> count_deployments_since(TimePoint since) override {
    return store_->count_deployments_since(since);
  }
  Result<std::vector<Event>> events(const TenantId& tenant, const DeploymentId& id, std::int64_t after,
                                    std::size_t limit) override {
    return store_->events(tenant, id, after, limit);
  }
  Result<Routes> all_routes() override { return store_->all_routes(); }
  Result<> put_node(const NodeRecord& node) override { return store_->put_node(node); }
  Result<> remove_node(const NodeId& id) override { return store_->remove_node(id); }
  Result<std::vector<NodeRecord>> all_nodes() override { return store_->all_nodes(); }
  Result<> put_join_token(const JoinToken& token, const std::optional<Digest>& secret) override {
    return store_->put_join_token(token, secret);
  }
  Result<std::optional<JoinToken>> join_token_by_secret(const Digest& secret) override {
    return store_->join_token_by_secret(secret);
  }
  Result<JoinToken> join_token(const std::string& id) override { return store_->join_token(id); }
  Result<std::vector<JoinToken>> join_tokens() override { return store_->join_tokens(); }
  Result<std::int64_t> add_scaling_event(const ScalingEvent& event, bool tell) override {
    if (fault_.exchange(Fault::none) == Fault::lose_change) return fail(ErrorKind::kUnavailable, "connection lost");
    return store_->add_scaling_event(event, tell);
  }
  Result<Page<ScalingEvent>> scaling_events(const ScalingQuery& query) override {
    return store_->scaling_events(query);
  }
  Result<std::optional<ScalingEvent>> untold_scaling_event() override { return store_->untold_scaling_event(); }
  Result<> scaling_event_told(std::int64_t sequence) override { return store_->scaling_event_told(sequence); }
  Result<AddedInterface> add_interface(const TenantId& tenant, const WasiInterface& interface) override {
    return store_->add_interface(tenant, interface);
  }
  Result<StoredInterface> interface(const TenantId& tenant, const InterfaceId& id) override {
    return store_->interface(tenant, id);
  }
  Result<Page<WasiInterface>> interfaces(const TenantId& tenant, const InterfaceQuery& query) override {
    return store_->interfaces(tenant, query);
  }
  Result<std::vector<WasiInterface>> all_interfaces(const TenantId& tenant) override {
    return store_->all_interfaces(tenant);
  }
  Result<> change_interface(const TenantId& tenant, const StoredInterface& changed,
                            const std::vector<Mail>& mails) override {
    return store_->change_interface(tenant, changed, mails);
  }
  Result<std::optional<QueuedMail>> next_mail() override { return store_->next_mail(); }
  Result<> drop_mail(std::int64_t sequence) override { return store_->drop_mail(sequence); }
  Result<> postpone_mail(std::int64_t sequence, TimePoint due) override { return store_->postpone_mail(sequence, due); }
  Result<> put_platform_interfaces(const std::vector<WasiInterface>& interfaces) override {
    return store_->put_platform_interfaces(interfaces);
  }
  Result<> ping() override { return store_->ping(); }

 private:
  std::unique_ptr<Store> store_;
  std::atomic<Fault> fault_{Fault::none};
};

}  // namespace hotswap::control
