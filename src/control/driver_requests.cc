// What callers ask of a deployment: create, approve, execute.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/log.h"
#include "control/approval_mail.h"
#include "control/driver.h"
#include "model/approval.h"

namespace hotswap::control {
namespace {

template <class Tag>
std::string listed(const std::vector<Id<Tag>>& ids) {
  std::vector<std::string_view> texts;
  for (const auto& id : ids) texts.push_back(id.str());
  return fmt::format("{}", fmt::join(texts, ", "));
}

bool overlap(const std::vector<Region>& a, const std::vector<Region>& b) {
  return std::ranges::any_of(a, [&b](const Region& region) { return std::ranges::find(b, region) != b.end(); });
}

// A module that is locked to some regions is deployed to no other; "all" then means those of all that it may run in.
Result<std::vector<Region>> allowed(const Module& module, std::vector<Region> regions, bool all) {
  if (module.allowedRegions.empty()) return regions;
  const auto barred = [&module](const Region& region) {
    return std::ranges::find(module.allowedRegions, region) == module.allowedRegions.end();
  };
  std::vector<Region> outside;
  std::ranges::copy_if(regions, std::back_inserter(outside), barred);
  if (all) std::erase_if(regions, barred);
  if (regions.empty() || (!all && !outside.empty())) {
    const auto detail = fmt::format("module {} may run in {} only, not in {}", module.moduleId.str(),
                                    listed(module.allowedRegions), listed(outside));
    return fail(ErrorKind::kUnprocessable, detail, {{"targetRegions", detail}});
  }
  return regions;
}

// The version that carries most of the traffic.
std::optional<ModuleId> heaviest(const Route& route) {
  if (route.versions.empty()) return std::nullopt;
  return std::ranges::max_element(route.versions, {}, &WeightedVersion::weight)->moduleId;
}

}  // namespace

Task<Result<TenantDeployment>> Driver::find(TenantId tenant, DeploymentId id) {
  co_return co_await parts_.pool.run([&] { return parts_.store.deployment(tenant, id); });
}

Task<Result<Module>> Driver::deployable(TenantId tenant, ModuleId id) {
  auto module = co_await parts_.pool.run([&] { return parts_.store.module(tenant, id); });
  if (!module && module.error().kind == ErrorKind::kNotFound) {
    const auto detail = fmt::format("there is no module {}: register it first", id.str());
    co_return fail(ErrorKind::kNotFound, detail, {{"moduleId", detail}});
  }
  if (module && module->status == ModuleStatus::Disabled) {
    co_return fail(ErrorKind::kConflict,
                   fmt::format("module {} is Disabled and takes no new deployment; set its status to Active (PATCH "
                               "/api/v1/wasm/modules/{}) or deploy another version",
                               id.str(), id.str()));
  }
  co_return module;
}

Result<std::vector<Region>> Driver::resolve_regions(const DeploymentRequest& request) const {
  std::vector<Region> known;
  for (const auto& setting : options_.regions) known.push_back(setting.region);
  if (std::ranges::find(request.targetRegions, Region("all")) != request.targetRegions.end()) return known;
  std::vector<FieldError> errors;
  for (std::size_t i = 0; i < request.targetRegions.size(); ++i) {
    if (publication_.knows(request.targetRegions[i])) continue;
    errors.push_back({fmt::format("targetRegions[{}]", i), fmt::format("there is no region {}; the regions are {}",
                                                                       request.targetRegions[i].str(), listed(known))});
  }
  if (!errors.empty()) return fail_fields(std::move(errors));
  return request.targetRegions;
}

// A route covers its whole region, so that the named nodes must be all of it.
Result<std::vector<Region>> Driver::regions_of_nodes(const std::vector<NodeId>& nodes) const {
  std::vector<FieldError> errors;
  std::vector<Region> regions;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto node = fleet_.node(nodes[i]);
    if (!node) {
      errors.push_back({fmt::format("targetNodes[{}]", i), fmt::format("no node {} is connected; the nodes are {}",
                                                                       nodes[i].str(), listed(fleet_.known()))});
    } else if (std::ranges::find(regions, node->region) == regions.end()) {
      regions.push_back(node->region);
    }
  }
  if (!errors.empty()) return fail_fields(std::move(errors));
  std::vector<NodeId> left_out;
  for (const auto& node : fleet_.nodes(regions)) {
    if (node.healthy && std::ranges::find(nodes, node.id) == nodes.end()) left_out.push_back(node.id);
  }
  if (!left_out.empty()) {
    const auto detail =
        fmt::format("a route covers its whole region: name also {}, or use targetRegions", listed(left_out));
    return fail(ErrorKind::kUnprocessable, detail, {{"targetNodes", detail}});
  }
  return regions;
}

Result<Deployment> Driver::draft(const Principal& principal, DeploymentRequest request, const Module& module) const {
  HS_CHECK(rollout::check_strategy(request.strategy, request.strategyConfig));
  if (request.healthCheck.enabled && request.healthCheck.httpPath && !module.httpHandler) {
    return fail_fields({{"healthCheck.httpPath", fmt::format("{} is no HTTP handler: leave it out, and state "
                                                             "functionName",
                                                             module.moduleId.str())}});
  }
  const bool by_node = request.targetNodes && !request.targetNodes->empty();
  HS_TRY(auto asked, by_node ? regions_of_nodes(*request.targetNodes) : resolve_regions(request));
  const bool all = std::ranges::find(request.targetRegions, Region("all")) != request.targetRegions.end();
  HS_TRY(auto regions, allowed(module, std::move(asked), all));
  Deployment deployment;
  deployment.deploymentId = DeploymentId(new_uuid(parts_.random));
  deployment.moduleId = request.moduleId;
  deployment.moduleName = module.name;
  deployment.targetRegions = std::move(regions);
  if (by_node) deployment.targetNodes = request.targetNodes;
  deployment.strategy = request.strategy;
  deployment.strategyConfig = std::move(request.strategyConfig);
  deployment.healthCheck = request.healthCheck;
  deployment.http = default_binding(module.name);
  deployment.createdAt = parts_.clock.now();
  deployment.createdBy = principal.user;
  deployment.autoRollbackEnabled = request.autoRollbackEnabled;
  deployment.onConflict = request.onConflict;
  for (const auto& region : deployment.targetRegions) {
    const auto* routed = publication_.route(principal.tenant, module.name, region);
    if (routed == nullptr) continue;
    deployment.http = routed->route.http;
    deployment.previousModuleId = heaviest(routed->route);
    break;
  }
  if (request.http) deployment.http = *request.http;
  return deployment;
}

Result<std::vector<rollout::TargetNode>> Driver::targets(const TenantId& tenant, const Deployment& deployment) const {
  if (!deployment.targetNodes) return fleet_.nodes(deployment.targetRegions, {tenant, deployment.moduleName});
  std::vector<rollout::TargetNode> nodes;
  std::vector<NodeId> gone;
  for (const auto& id : *deployment.targetNodes) {
    const auto node = fleet_.node(id);
    if (node && node->healthy) {
      nodes.push_back(*node);
    } else {
      gone.push_back(id);
    }
  }
  if (!gone.empty()) {
    return fail(ErrorKind::kUnavailable, fmt::format("not connected: {}; start it, or wait until it reports, and "
                                                     "execute again",
                                                     listed(gone)));
  }
  // Nodes may have come since the deployment was created.
  HS_CHECK(regions_of_nodes(*deployment.targetNodes));
  // Where a region keeps each module on some of its nodes, the others never get the version.
  const auto holders = fleet_.nodes(deployment.targetRegions, {tenant, deployment.moduleName});
  std::erase_if(nodes, [&holders](const rollout::TargetNode& node) {
    return std::ranges::find(holders, node.id, &rollout::TargetNode::id) == holders.end();
  });
  return nodes;
}

rollout::PlanInput Driver::plan_input(const TenantId& tenant, const Deployment& deployment,
                                      std::vector<rollout::TargetNode> nodes) const {
  rollout::PlanInput input{.tenant = tenant,
                           .module_id = deployment.moduleId,
                           .module_name = deployment.moduleName,
                           .regions = deployment.targetRegions,
                           .nodes = std::move(nodes),
                           .routes = {},
                           .config = deployment.strategyConfig};
  for (const auto& region : deployment.targetRegions) {
    if (const auto* routed = publication_.route(tenant, deployment.moduleName, region)) {
      input.routes.push_back(routed->route);
    }
  }
  return input;
}

Result<> Driver::check_running() const {
  if (stopping_) return fail(ErrorKind::kUnavailable, "the control plane is stopping");
  return {};
}

Result<> Driver::check_approved(const Principal& principal, const Deployment& deployment) const {
  if (!in_production(deployment)) return {};
  if (principal.role != Role::Admin) {
    return fail(ErrorKind::kForbidden, "a deployment to production is executed by an Admin");
  }
  if (deployment.approvedBy) return {};
  return fail(ErrorKind::kConflict,
              fmt::format("deployment {0} goes to production and is not approved yet: an Admin approves it with POST "
                          "/api/v1/wasm/deployments/{0}/approve",
                          deployment.deploymentId.str()));
}

// One HTTP handler for each place on the gateway.
Result<> Driver::check_bindings(const TenantId& tenant, const Deployment& deployment) const {
  std::vector<std::pair<std::string, HttpBinding>> places{{"http", deployment.http}};
  const auto config = read_strategy(deployment.strategy, deployment.strategyConfig);
  if (const auto* blue_green = config ? std::get_if<BlueGreenConfig>(&*config) : nullptr;
      blue_green != nullptr && blue_green->preview) {
    if (*blue_green->preview == deployment.http) {
      return fail_fields({{"strategyConfig.preview", "must differ from where the module answers, http"}});
    }
    places.emplace_back("strategyConfig.preview", *blue_green->preview);
  }
  for (const auto& [field, place] : places) {
    for (const auto& region : deployment.targetRegions) {
      const Route* other = publication_.bound_elsewhere(
          {.tenant = tenant, .name = deployment.moduleName, .region = region, .versions = {}, .http = place});
      if (other == nullptr) continue;
      // A name is told only within its tenant.
      const std::string taken_by = other->tenant == tenant ? fmt::format("module {}", other->name) : "another module";
      const auto detail = fmt::format("{}{} is taken by {} in region {}; state another {}.pathPrefix or {}.host",
                                      place.host.value_or(""), place.pathPrefix, taken_by, region.str(), field, field);
      return fail(ErrorKind::kConflict, detail, {{field, detail}});
    }
  }
  return {};
}

Result<> Driver::check_alone(const TenantId& tenant, const Deployment& deployment) const {
  for (const auto& [id, other] : unfinished_) {
    const Deployment& first = other.stored.deployment;
    const bool same_route = other.stored.tenant == tenant && first.moduleName == deployment.moduleName &&
                            overlap(first.targetRegions, deployment.targetRegions);
    if (!same_route || id == deployment.deploymentId) continue;
    return fail(ErrorKind::kConflict,
                fmt::format("deployment {0} of {1} is {2} in the same region: wait for its end, withdraw it with "
                            "POST /api/v1/wasm/deployments/{0}/rollback, or state onConflict \"queue\"",
                            id.str(), first.moduleId.str(), enum_name(first.status)));
  }
  return {};
}

const Deployment* Driver::ahead(const TenantId& tenant, const Deployment& deployment) const {
  for (const auto& [id, other] : unfinished_) {
    const Deployment& first = other.stored.deployment;
    const bool same_route = other.stored.tenant == tenant && first.moduleName == deployment.moduleName &&
                            overlap(first.targetRegions, deployment.targetRegions);
    if (!same_route || id == deployment.deploymentId) continue;
    if (first.status != DeploymentStatus::Pending) return &first;
    const bool earlier =
        first.queuedAt && (!deployment.queuedAt ||
                           std::pair(*first.queuedAt, id) < std::pair(*deployment.queuedAt, deployment.deploymentId));
    if (earlier) return &first;
  }
  return nullptr;
}

// Where every node of a region holds what the region routes. Elsewhere placement finds room, or a plan has no node.
Result<> Driver::check_room(const TenantId& tenant, const Deployment& deployment) const {
  for (const auto& region : deployment.targetRegions) {
    const auto setting = std::ranges::find(options_.regions, region, &RegionSetting::region);
    if (setting != options_.regions.end() && setting->replicas != 0) continue;
    if (publication_.route(tenant, deployment.moduleName, region) != nullptr) continue;
    if (publication_.route_count(region) < limits::kModulesPerNode) continue;
    return fail(ErrorKind::kConflict, fmt::format("region {} routes {} modules, the most that a node holds",
                                                  region.str(), limits::kModulesPerNode));
  }
  return {};
}

void Driver::remember_routes(const TenantId& tenant, Deployment& deployment) const {
  deployment.routesBefore.clear();
  deployment.regionsWithoutRouteBefore.clear();
  deployment.previousModuleId.reset();
  for (const auto& region : deployment.targetRegions) {
    const auto* routed = publication_.route(tenant, deployment.moduleName, region);
    if (routed == nullptr) {
      deployment.regionsWithoutRouteBefore.push_back(region);
      continue;
    }
    if (!deployment.previousModuleId) deployment.previousModuleId = heaviest(routed->route);
    deployment.routesBefore.push_back(routed->route);
  }
}

Task<Result<>> Driver::check_rate() {
  if (options_.deployments_per_hour == 0) co_return Result<>{};
  const TimePoint since = parts_.clock.now() - std::chrono::hours(1);
  HS_CO_TRY(const std::int64_t count,
            co_await parts_.pool.run([&] { return parts_.store.count_deployments_since(since); }));
  if (count < options_.deployments_per_hour) co_return Result<>{};
  co_return fail(ErrorKind::kTooManyRequests,
                 fmt::format("{} deployments were created within the last hour, the most that is allowed; try again "
                             "later",
                             count));
}

Task<Result<Deployment>> Driver::create(Principal principal, DeploymentRequest request, TraceContext trace) {
  Span span = parts_.tracer.start("wasm.deployment.create", trace);
  span.attribute("moduleId", request.moduleId.str());
  span.attribute("strategy", enum_name(request.strategy));
  if (auto errors = validate(request); !errors.empty()) co_return fail_fields(std::move(errors));
  const auto turn = co_await turnstile_.enter();
  HS_CO_CHECK(check_running());
  HS_CO_TRY(const Module module, co_await deployable(principal.tenant, request.moduleId));
  HS_CO_TRY(Deployment deployment, draft(principal, std::move(request), module));
  if (deployment.onConflict == OnConflict::refuse) HS_CO_CHECK(check_alone(principal.tenant, deployment));
  if (module.httpHandler) HS_CO_CHECK(check_bindings(principal.tenant, deployment));
  HS_CO_CHECK(co_await check_rate());
  // Planned again when it is executed; here so that whoever approves sees what would happen now.
  if (auto nodes = targets(principal.tenant, deployment)) {
    HS_CO_CHECK(check_capabilities(deployment, module, *nodes));
    auto plan = rollout::plan(deployment.strategy, plan_input(principal.tenant, deployment, std::move(*nodes)));
    if (plan) deployment.plan = *std::move(plan);
  }
  span.attribute("deploymentId", deployment.deploymentId.str());
  // For whoever is to approve it.
  HS_CO_TRY(deployment.breaksCallers, co_await broken_callers(principal.tenant, deployment));
  HS_CO_CHECK(co_await warn_of_deprecated(principal.tenant, deployment, module));
  const bool production = in_production(deployment);
  auto transition = created(principal.tenant, std::move(deployment), cause(principal.user, trace));
  if (production || !transition.deployment().breaksCallers.empty()) {
    transition.change.mails = asking(options_.mail, transition.deployment(), production, transition.cause.at);
  }
  Unfinished rollout;
  HS_CO_CHECK(co_await save(rollout.stored, transition));
  rollout.trace = trace;
  Deployment made = rollout.stored.deployment;
  unfinished_.insert_or_assign(made.deploymentId, std::move(rollout));
  co_return made;
}

Task<Result<Deployment>> Driver::approve(Principal principal, DeploymentId id, ApprovalRequest request,
                                         TraceContext trace) {
  const auto turn = co_await turnstile_.enter();
  HS_CO_CHECK(check_running());
  HS_CO_TRY(TenantDeployment stored, co_await find(principal.tenant, id));
  if (stored.deployment.approvedBy) co_return stored.deployment;
  if (stored.deployment.status != DeploymentStatus::Pending) {
    co_return fail(ErrorKind::kConflict, fmt::format("deployment {} is {}: only a Pending one is approved", id.str(),
                                                     enum_name(stored.deployment.status)));
  }
  HS_CO_CHECK(may_approve(principal, "a deployment", stored.deployment.createdBy, options_.single_user));
  if (request.breaksCallers && *request.breaksCallers != stored.deployment.breaksCallers) {
    co_return fail(
        ErrorKind::kConflict,
        fmt::format("what deployment {0} breaks is not what the request says any more: look at it again (GET "
                    "/api/v1/wasm/deployments/{0})",
                    id.str()));
  }
  auto transition = approved(stored, cause(principal.user, trace));
  transition.change.mails = decided(options_.mail, transition.deployment(), transition.cause.at);
  HS_CO_CHECK(co_await save(stored, transition));
  if (const auto found = unfinished_.find(id); found != unfinished_.end()) found->second.stored = stored;
  co_return stored.deployment;
}

Task<Result<Driver::Executed>> Driver::execute(Principal principal, DeploymentId id, TraceContext trace) {
  const auto turn = co_await turnstile_.enter();
  HS_CO_CHECK(check_running());
  HS_CO_TRY(TenantDeployment stored, co_await find(principal.tenant, id));
  const Deployment& deployment = stored.deployment;
  const bool waiting = deployment.status == DeploymentStatus::Pending && deployment.queuedAt;
  if (waiting || deployment.status == DeploymentStatus::InProgress || deployment.status == DeploymentStatus::Paused ||
      deployment.status == DeploymentStatus::Completed) {
    co_return Executed{.deployment = deployment, .started = false};
  }
  if (deployment.status != DeploymentStatus::Pending) {
    co_return fail(ErrorKind::kConflict, fmt::format("deployment {} is {} and cannot be executed; retry it, or create "
                                                     "a new one",
                                                     id.str(), enum_name(deployment.status)));
  }
  HS_CO_CHECK(check_approved(principal, deployment));
  HS_CO_CHECK(co_await check_callers(stored, cause(principal.user, trace)));
  if (const Deployment* first = ahead(stored.tenant, deployment)) {
    if (deployment.onConflict == OnConflict::refuse) {
      HS_CO_CHECK(check_alone(stored.tenant, deployment));
    }
    log::info("deployment waits for another", trace.trace_id(),
              {{"deploymentId", id.str()}, {"ahead", first->deploymentId.str()}});
    HS_CO_CHECK(co_await save(stored, queued(stored, cause(principal.user, trace))));
    Unfinished& rollout = unfinished_[id];
    rollout.stored = stored;
    rollout.trace = trace;
    co_return Executed{.deployment = stored.deployment, .started = true};
  }
  HS_CO_TRY(auto begun, co_await begin(std::move(stored), principal.user, trace));
  co_return Executed{.deployment = std::move(begun), .started = true};
}

// Plans for the nodes that are there now, and takes the first step. The caller has the turn.
Task<Result<Deployment>> Driver::begin(TenantDeployment stored, std::string by, TraceContext trace) {
  Deployment& deployment = stored.deployment;
  const TenantId tenant = stored.tenant;
  const DeploymentId id = deployment.deploymentId;
  HS_CO_TRY(const Module module, co_await deployable(tenant, deployment.moduleId));
  HS_CO_CHECK(check_room(tenant, deployment));
  if (module.httpHandler) HS_CO_CHECK(check_bindings(tenant, deployment));
  HS_CO_TRY(auto nodes, targets(tenant, deployment));
  HS_CO_CHECK(check_capabilities(deployment, module, nodes));
  HS_CO_CHECK(co_await warn_of_deprecated(tenant, deployment, module));
  HS_CO_TRY(deployment.plan, rollout::plan(deployment.strategy, plan_input(tenant, deployment, std::move(nodes))));

  // A deployment that failed on its way left routes of its own: those before it stay what it returns to.
  const bool on_its_way = deployment.status == DeploymentStatus::Failed && deployment.startedAt;
  if (!on_its_way) remember_routes(tenant, deployment);
  std::vector<ModuleId> ids;
  for (const auto& route : deployment.routesBefore) std::ranges::move(versions_of(route), std::back_inserter(ids));
  HS_CO_TRY(auto versions, co_await kept_versions(tenant, std::move(ids)));
  auto brought = std::make_shared<DesiredVersion>(*desired_version(tenant, module));
  brought->healthCheck = deployment.healthCheck;
  versions.insert(versions.begin(), std::move(brought));
  const auto transition = started(stored, cause(std::move(by), trace));
  HS_CO_CHECK(co_await save(stored, transition));

  Unfinished& rollout = unfinished_[id];
  rollout.stored = stored;
  rollout.versions = std::move(versions);
  rollout.watched_since = parts_.clock.now();
  rollout.trace = trace;
  rollout.span = parts_.tracer.start("wasm.deployment.execute", trace);
  rollout.span.attribute("deploymentId", id.str());
  rollout.span.attribute("moduleId", deployment.moduleId.str());
  rollout.span.attribute("strategy", enum_name(deployment.strategy));
  executed_.add();
  publish(transition, rollout);
  reported_.notify();
  co_return stored.deployment;
}

}  // namespace hotswap::control
