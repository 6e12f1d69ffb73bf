#include "node/route_table.h"

#include <algorithm>
#include <array>

namespace hotswap::node {
namespace {

constexpr std::size_t kHostBytes = 256;  // a DNS name is at most 253

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.rfind(':'));
}

}  // namespace

void ShadowMeter::keep(ShadowExample example) {
  const std::lock_guard lock(mutex_);
  keep_example(examples_, std::move(example));
}

std::vector<ShadowExample> ShadowMeter::examples() const {
  const std::lock_guard lock(mutex_);
  return examples_;
}

void ShadowMeter::forget_examples() {
  const std::lock_guard lock(mutex_);
  examples_.clear();
}

void RouteEntry::add(std::shared_ptr<ReadyVersion> version, int weight) {
  if (weight <= 0) return;
  const int before = choices_.empty() ? 0 : choices_.back().up_to;
  choices_.push_back({std::move(version), before + weight});
}

ReadyVersion& RouteEntry::choose(Draw draw) const {
  if (choices_.size() == 1) return *choices_.front().version;
  std::uint64_t number = draw.random;
  if (sticky_ && draw.sender != nullptr) number = draw.sender->number(*sticky_).value_or(number);
  const auto point = static_cast<int>(number % static_cast<std::uint64_t>(choices_.back().up_to));
  return *std::ranges::find_if(choices_, [&](const Choice& choice) { return point < choice.up_to; })->version;
}

std::shared_ptr<const RouteTable> RouteTable::build(const DesiredState& desired, const ReadyVersions& ready,
                                                    const NodeId& node) {
  auto table = std::make_shared<RouteTable>();
  table->revision_ = desired.revision;
  table->versions_ = ready;
  for (const auto& version : ready) {
    table->tenants_[version->tenant.str()].versions.emplace(version->id.str(), version);
  }
  // What this node serves itself takes their places below.
  for (const auto& remote : desired.remotes) {
    TenantTable& tenant = table->tenants_[remote->tenant.str()];
    const auto peers = std::make_shared<const std::vector<Peer>>(remote->peers);
    tenant.remotes.insert_or_assign(remote->name, peers);
    for (const auto& id : remote->versions) tenant.remote_versions.insert_or_assign(id.str(), peers);
    for (const auto& binding : remote->bindings) table->add_http(binding, {.route = RouteEntry(), .peers = peers});
  }
  for (const auto& route : desired.routes) {
    TenantTable& tenant = table->tenants_[route.tenant.str()];
    if (route.preview) {
      const auto green = tenant.versions.find(route.preview->moduleId.str());
      if (green != tenant.versions.end() && green->second->workload->serves_http()) {
        RouteEntry entry;
        entry.add(green->second, 100);
        table->add_http(route.preview->http, {.route = entry, .peers = nullptr});
      }
    }
    RouteEntry entry(route.sticky);
    bool http = false;
    for (const auto& weighted : versions_on(route, node)) {
      const auto found = tenant.versions.find(weighted.moduleId.str());
      if (found == tenant.versions.end()) continue;
      entry.add(found->second, weighted.weight);
      http = http || found->second->workload->serves_http();
    }
    if (entry.empty()) continue;
    if (route.shadow) {
      const auto copied_to = tenant.versions.find(route.shadow->moduleId.str());
      if (copied_to != tenant.versions.end()) {
        entry.add_shadow({.version = copied_to->second,
                          .percent = route.shadow->percent,
                          .ignore_paths = route.shadow->ignorePaths,
                          .allow_outbound = route.shadow->allowOutbound});
        table->has_shadows_ = true;
      }
    }
    if (http) table->add_http(route.http, {.route = entry, .peers = nullptr});
    tenant.names.insert_or_assign(route.name, std::move(entry));
  }
  return table;
}

const std::vector<Peer>* RouteTable::remote(const TenantId& tenant, std::string_view name) const {
  const auto owner = tenants_.find(tenant.str());
  if (owner == tenants_.end()) return nullptr;
  const auto found = owner->second.remotes.find(name);
  return found == owner->second.remotes.end() ? nullptr : found->second.get();
}

const std::vector<Peer>* RouteTable::remote_version(const TenantId& tenant, std::string_view module_id) const {
  const auto owner = tenants_.find(tenant.str());
  if (owner == tenants_.end()) return nullptr;
  const auto found = owner->second.remote_versions.find(module_id);
  return found == owner->second.remote_versions.end() ? nullptr : found->second.get();
}

void RouteTable::add_http(const HttpBinding& binding, const HttpEntry& entry) {
  auto& prefixes = binding.host ? by_host_[lowered(*binding.host)] : any_host_;
  prefixes.insert_or_assign(binding.pathPrefix.substr(0, binding.pathPrefix.size() - 1), entry);
}

ReadyVersion* RouteTable::by_name(const TenantId& tenant, std::string_view name, Draw draw) const {
  const auto owner = tenants_.find(tenant.str());
  if (owner == tenants_.end()) return nullptr;
  const auto entry = owner->second.names.find(name);
  return entry == owner->second.names.end() ? nullptr : &entry->second.choose(draw);
}

const ShadowRoute* RouteTable::shadow_of(const TenantId& tenant, std::string_view name) const {
  const auto owner = tenants_.find(tenant.str());
  if (owner == tenants_.end()) return nullptr;
  const auto entry = owner->second.names.find(name);
  return entry == owner->second.names.end() ? nullptr : entry->second.shadow();
}

ReadyVersion* RouteTable::by_id(const TenantId& tenant, std::string_view module_id) const {
  const auto owner = tenants_.find(tenant.str());
  if (owner == tenants_.end()) return nullptr;
  const auto version = owner->second.versions.find(module_id);
  return version == owner->second.versions.end() ? nullptr : version->second.get();
}

RouteTable::HttpMatch RouteTable::longest_prefix(const StringMap<HttpEntry>& prefixes, std::string_view path,
                                                 Draw draw) {
  for (std::size_t size = path.size();;) {
    if (const auto found = prefixes.find(path.substr(0, size)); found != prefixes.end()) {
      const HttpEntry& entry = found->second;
      if (entry.peers != nullptr) return {.prefix_size = size, .peers = entry.peers.get()};
      return {.version = &entry.route.choose(draw), .prefix_size = size, .shadow = entry.route.shadow()};
    }
    const std::size_t slash = path.substr(0, size).rfind('/');
    if (slash == std::string_view::npos) return {};
    size = slash;
  }
}

RouteTable::HttpMatch RouteTable::by_http(std::string_view host, std::string_view path, Draw draw) const {
  if (!by_host_.empty()) {
    std::array<char, kHostBytes> buffer;
    const std::string_view name = without_port(host).substr(0, buffer.size());
    std::ranges::transform(name, buffer.begin(), lower);
    const auto prefixes = by_host_.find(std::string_view(buffer.data(), name.size()));
    if (prefixes != by_host_.end()) {
      const auto match = longest_prefix(prefixes->second, path, draw);
      if (match.version != nullptr || match.peers != nullptr) return match;
    }
  }
  return longest_prefix(any_host_, path, draw);
}

}  // namespace hotswap::node
