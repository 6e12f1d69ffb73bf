#include "control/node_registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace hotswap::control {
namespace {

constexpr int kSecretWords = 4;  // of 64 bits

std::unexpected<Error> no_such_node(const NodeId& id) {
  return fail(ErrorKind::kNotFound, fmt::format("there is no node {}", id.str()));
}

std::unexpected<Error> refused() {
  return fail(ErrorKind::kUnauthorized,
              "the node's credential is unknown or has expired: the node joins anew with a join token");
}

}  // namespace

Task<Result<>> NodeRegistry::load() {
  HS_CO_TRY(auto records, co_await parts_.pool.run([this] { return parts_.store.all_nodes(); }));
  for (auto& record : records) {
    for (const auto& pin : record.pins) HS_CO_CHECK(co_await remember_pinned(pin));
    const NodeId id = record.node.nodeId;
    nodes_.insert_or_assign(id, std::move(record));
  }
  co_return Result<>{};
}

std::string NodeRegistry::new_secret(std::string_view prefix) const {
  std::string secret(prefix);
  for (int i = 0; i < kSecretWords; ++i) secret += fmt::format("{:016x}", parts_.random.next());
  return secret;
}

Task<Result<NodeRegistry::MadeToken>> NodeRegistry::create_token(Principal principal, JoinTokenRequest request) {
  if (auto errors = validate(request); !errors.empty()) co_return fail_fields(std::move(errors));
  MadeToken made;
  made.secret = new_secret("hsj_");
  made.token.tokenId = new_uuid(parts_.random);
  made.token.description = std::move(request.description);
  made.token.region = std::move(request.region);
  made.token.createdAt = parts_.clock.now();
  made.token.createdBy = principal.user;
  if (request.expiresInSeconds) {
    made.token.expiresAt = made.token.createdAt + std::chrono::seconds(*request.expiresInSeconds);
  }
  HS_CO_CHECK(
      co_await parts_.pool.run([&] { return parts_.store.put_join_token(made.token, Sha256::of(made.secret)); }));
  co_return made;
}

Task<Result<std::vector<JoinToken>>> NodeRegistry::tokens() {
  co_return co_await parts_.pool.run([this] { return parts_.store.join_tokens(); });
}

Task<Result<JoinToken>> NodeRegistry::revoke_token(std::string id) {
  const auto turn = co_await turnstile_.enter();
  HS_CO_TRY(JoinToken token, co_await parts_.pool.run([&] { return parts_.store.join_token(id); }));
  if (token.revokedAt) co_return token;
  token.revokedAt = parts_.clock.now();
  HS_CO_CHECK(co_await parts_.pool.run([&] { return parts_.store.put_join_token(token, std::nullopt); }));
  log::info("join token revoked", "", {{"tokenId", token.tokenId}});
  co_return token;
}

Result<> NodeRegistry::check(const NodeDescription& node) const {
  auto errors = validate(node);
  const auto known = [&](const RegionSetting& setting) { return setting.region == node.region; };
  if (std::ranges::none_of(options_.regions, known)) {
    std::string names;
    for (const auto& setting : options_.regions) names += (names.empty() ? "" : ", ") + setting.region.str();
    errors.push_back({"region", fmt::format("there is no region {}; the regions are {}", node.region.str(), names)});
  }
  if (!errors.empty()) return fail_fields(std::move(errors));
  if (nodes_.contains(node.nodeId)) return {};
  if (nodes_.size() >= limits::kNodesPerCluster) {
    return fail(ErrorKind::kConflict,
                fmt::format("the cluster has {} nodes, the most that it takes", limits::kNodesPerCluster));
  }
  const auto in_region =
      std::ranges::count_if(nodes_, [&](const auto& entry) { return entry.second.node.region == node.region; });
  if (static_cast<std::size_t>(in_region) >= options_.nodes_per_region) {
    return fail(ErrorKind::kConflict, fmt::format("region {} has {} nodes, the most that it takes", node.region.str(),
                                                  options_.nodes_per_region));
  }
  return {};
}

IssuedCredential NodeRegistry::issue(NodeRecord& record) const {
  IssuedCredential issued{.nodeId = record.node.nodeId,
                          .credential = new_secret("hsn_"),
                          .expiresInSeconds = options_.credential_life.count()};
  record.credentials.push_back({Sha256::of(issued.credential), parts_.clock.now() + options_.credential_life});
  return issued;
}

Task<Result<IssuedCredential>> NodeRegistry::join(std::string secret, NodeDescription node) {
  const auto turn = co_await turnstile_.enter();
  HS_CO_TRY(auto token,
            co_await parts_.pool.run([&] { return parts_.store.join_token_by_secret(Sha256::of(secret)); }));
  const TimePoint now = parts_.clock.now();
  if (!token || token->revokedAt || (token->expiresAt && *token->expiresAt <= now)) {
    co_return fail(ErrorKind::kUnauthorized,
                   "the join token is unknown, revoked or expired; make one with: hotswap node token create");
  }
  if (token->region && *token->region != node.region) {
    co_return fail(ErrorKind::kForbidden, fmt::format("the join token is for nodes of region {}, and the node is in {}",
                                                      token->region->str(), node.region.str()));
  }
  HS_CO_CHECK(check(node));
  NodeRecord record;
  record.registeredAt = now;
  if (const auto known = nodes_.find(node.nodeId); known != nodes_.end()) record = known->second;
  record.node = std::move(node);
  record.credentials.clear();
  const IssuedCredential issued = issue(record);
  token->lastUsedAt = now;
  HS_CO_CHECK(co_await parts_.pool.run([&] { return parts_.store.put_join_token(*token, std::nullopt); }));
  HS_CO_CHECK(co_await save(record));
  log::info("node joined", "",
            {{"nodeId", issued.nodeId.str()}, {"region", record.node.region.str()}, {"tokenId", token->tokenId}});
  co_return issued;
}

Task<Result<IssuedCredential>> NodeRegistry::rotate(NodeId id, std::string credential) {
  HS_CO_CHECK(co_await authenticate(id, credential));
  const auto turn = co_await turnstile_.enter();
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) co_return refused();
  NodeRecord record = found->second;
  // One that was asked for and never arrived is replaced.
  std::erase_if(record.credentials,
                [shown = Sha256::of(credential)](const auto& kept) { return kept.digest != shown; });
  const IssuedCredential issued = issue(record);
  HS_CO_CHECK(co_await save(record));
  co_return issued;
}

Task<Result<>> NodeRegistry::authenticate(NodeId id, std::string credential) {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) co_return refused();
  const auto& kept = found->second.credentials;
  const auto shown = std::ranges::find(kept, Sha256::of(credential), &NodeRecord::Credential::digest);
  if (shown == kept.end() || shown->expiresAt <= parts_.clock.now()) co_return refused();
  if (shown == kept.begin()) co_return Result<>{};
  const Digest digest = shown->digest;
  const auto turn = co_await turnstile_.enter();
  const auto still = nodes_.find(id);
  if (still == nodes_.end()) co_return refused();
  NodeRecord record = still->second;
  const auto at = std::ranges::find(record.credentials, digest, &NodeRecord::Credential::digest);
  if (at == record.credentials.end() || at == record.credentials.begin()) co_return Result<>{};
  record.credentials.erase(record.credentials.begin(), at);
  co_return co_await save(std::move(record));
}

Task<Result<>> NodeRegistry::introduce(NodeDescription node) {
  const auto turn = co_await turnstile_.enter();
  HS_CO_CHECK(check(node));
  NodeRecord record;
  record.registeredAt = parts_.clock.now();
  if (const auto known = nodes_.find(node.nodeId); known != nodes_.end()) record = known->second;
  if (record.node == node) co_return Result<>{};
  record.node = std::move(node);
  co_return co_await save(std::move(record));
}

Task<Result<>> NodeRegistry::save(NodeRecord record) {
  HS_CO_CHECK(co_await parts_.pool.run([&] { return parts_.store.put_node(record); }));
  const NodeId id = record.node.nodeId;
  nodes_.insert_or_assign(id, std::move(record));
  ++version_;
  changed_.notify();
  co_return Result<>{};
}

template <class Change>
Task<Result<NodeRecord>> NodeRegistry::change(NodeId id, Change change) {
  const auto turn = co_await turnstile_.enter();
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) co_return no_such_node(id);
  NodeRecord record = found->second;
  change(record);
  if (record == found->second) co_return record;
  HS_CO_CHECK(co_await save(record));
  co_return record;
}

Task<Result<NodeRecord>> NodeRegistry::set_enabled(NodeId id, bool enabled) {
  return change(std::move(id), [enabled](NodeRecord& record) {
    record.isEnabled = enabled;
    if (enabled) record.draining = false;
  });
}

Task<Result<NodeRecord>> NodeRegistry::drain(NodeId id) {
  return change(std::move(id), [](NodeRecord& record) { record.draining = true; });
}

Task<Result<Module>> NodeRegistry::remember_pinned(Pin pin) {
  HS_CO_TRY(const Module module,
            co_await parts_.pool.run([&] { return parts_.store.module(pin.tenant, pin.moduleId); }));
  pinned_[{pin.tenant, pin.moduleId}] = desired_version(pin.tenant, module);
  co_return module;
}

std::vector<SharedVersion> NodeRegistry::pinned(const NodeId& id) const {
  std::vector<SharedVersion> versions;
  const NodeRecord* record = find(id);
  if (record == nullptr) return versions;
  for (const auto& pin : record->pins) {
    if (const auto known = pinned_.find({pin.tenant, pin.moduleId}); known != pinned_.end()) {
      versions.push_back(known->second);
    }
  }
  return versions;
}

Task<Result<NodeRecord>> NodeRegistry::pin(NodeId id, Pin pin) {
  HS_CO_TRY(const Module module, co_await remember_pinned(pin));
  const NodeRecord* node = find(id);
  if (node == nullptr) co_return no_such_node(id);
  const auto& lock = module.allowedRegions;
  if (!lock.empty() && std::ranges::find(lock, node->node.region) == lock.end()) {
    co_return fail(ErrorKind::kUnprocessable, fmt::format("module {} may not run in region {}, where node {} is",
                                                          pin.moduleId.str(), node->node.region.str(), id.str()));
  }
  // One version for each name: a newer pin takes the place of the one before.
  std::vector<ModuleId> same_name;
  for (const auto& version : pinned(id)) {
    if (version->tenant == pin.tenant && version->name == module.name) same_name.push_back(version->moduleId);
  }
  co_return co_await change(std::move(id), [pin, same_name](NodeRecord& record) {
    std::erase_if(record.pins, [&](const Pin& kept) {
      return kept.tenant == pin.tenant && std::ranges::find(same_name, kept.moduleId) != same_name.end();
    });
    record.pins.push_back(pin);
  });
}

Task<Result<NodeRecord>> NodeRegistry::unpin(NodeId id, Pin pin) {
  return change(std::move(id), [pin](NodeRecord& record) { std::erase(record.pins, pin); });
}

Task<Result<>> NodeRegistry::remove(NodeId id) {
  const auto turn = co_await turnstile_.enter();
  if (!nodes_.contains(id)) co_return no_such_node(id);
  HS_CO_CHECK(co_await parts_.pool.run([&] { return parts_.store.remove_node(id); }));
  nodes_.erase(id);
  ++version_;
  log::info("node removed", "", {{"nodeId", id.str()}});
  changed_.notify();
  co_return Result<>{};
}

const NodeRecord* NodeRegistry::find(const NodeId& id) const {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

}  // namespace hotswap::control
