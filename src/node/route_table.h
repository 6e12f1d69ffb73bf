// What a node routes by: an immutable snapshot that holds every version it names.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/metrics.h"
#include "model/desired_state.h"
#include "sandbox/workload.h"

namespace hotswap::node {

// What copies of live requests told about a version on this node. Any thread.
class ShadowMeter {
 public:
  Counter compared;
  Counter mismatched;
  Counter dropped;
  Histogram latency{latency_bounds()};       // seconds; of the copies that were compared
  Histogram live_latency{latency_bounds()};  // of their requests

  void keep(ShadowExample example);
  [[nodiscard]] std::vector<ShadowExample> examples() const;
  void forget_examples();

 private:
  mutable std::mutex mutex_;  // copies end on every I/O thread, reports are made on one
  std::vector<ShadowExample> examples_;
};

// What a version did on this node, over all times that it was made ready. Any thread.
struct VersionMeter {
  explicit VersionMeter(std::string module_name = {}) : name(std::move(module_name)) {}
  const std::string name;
  Counter requests;
  Counter failures;
  Histogram latency{latency_bounds()};  // seconds
  ShadowMeter shadow;
};

// A version that is ready on this node. Dropped, with its code, when the last snapshot or request that holds it ends.
struct ReadyVersion {
  TenantId tenant;
  ModuleId id;
  std::shared_ptr<Workload> workload;
  std::shared_ptr<VersionMeter> meter;
  // What the audit says of it.
  Digest digest;
  ResourceLimits limits;
  ReadyVersion(TenantId owner, ModuleId module, std::shared_ptr<Workload> loaded,
               std::shared_ptr<VersionMeter> counted = std::make_shared<VersionMeter>(), Digest content = {},
               ResourceLimits bounds = {})
      : tenant(std::move(owner)),
        id(std::move(module)),
        workload(std::move(loaded)),
        meter(std::move(counted)),
        digest(std::move(content)),
        limits(std::move(bounds)) {}
};

using ReadyVersions = std::vector<std::shared_ptr<ReadyVersion>>;

// What a request says about its sender.
class Sender {
 public:
  virtual ~Sender() = default;
  // Always the same number for the same sender; nullopt where the request does not say who sends it.
  [[nodiscard]] virtual std::optional<std::uint64_t> number(const StickyKey& key) const = 0;
};

// What decides between the versions of a route: a random number, and for a sticky route the sender where it is known.
struct Draw {
  std::uint64_t random = 0;
  const Sender* sender = nullptr;
  // NOLINTNEXTLINE(google-explicit-constructor): a number is a draw
  Draw(std::uint64_t drawn, const Sender* from = nullptr) : random(drawn), sender(from) {}
};

// Which version gets copies of how many percent of a route's live requests.
struct ShadowRoute {
  std::shared_ptr<ReadyVersion> version;
  int percent = 0;
  std::vector<std::string> ignore_paths;  // JSON pointers
  bool allow_outbound = false;
};

// The traffic of one name: versions with cumulative weights that end at 100.
class RouteEntry {
 public:
  explicit RouteEntry(std::optional<StickyKey> sticky = std::nullopt) : sticky_(std::move(sticky)) {}
  void add_shadow(ShadowRoute shadow) { shadow_ = std::move(shadow); }
  // nullptr where nothing is copied.
  [[nodiscard]] const ShadowRoute* shadow() const noexcept { return shadow_ ? &*shadow_ : nullptr; }
  void add(std::shared_ptr<ReadyVersion> version, int weight);
  [[nodiscard]] ReadyVersion& choose(Draw draw) const;
  [[nodiscard]] bool empty() const noexcept { return choices_.empty(); }

 private:
  struct Choice {
    std::shared_ptr<ReadyVersion> version;
    int up_to;
  };
  std::optional<StickyKey> sticky_;
  std::vector<Choice> choices_;
  std::optional<ShadowRoute> shadow_;
};

// Immutable after build; any thread may read. Look-ups do not allocate.
class RouteTable {
 public:
  RouteTable() = default;
  // Routes that refer to a version which is not in `ready` keep their other versions; a route without any is sent on to
  // the fallback, or left out where there is none. `node` is the one that routes: it is not its own fallback, and a
  // route may weigh otherwise on some nodes.
  [[nodiscard]] static std::shared_ptr<const RouteTable> build(const DesiredState& desired, const ReadyVersions& ready,
                                                               const NodeId& node);

  // The version that the route of `name` chooses; nullptr where there is no such route.
  [[nodiscard]] ReadyVersion* by_name(const TenantId& tenant, std::string_view name, Draw draw) const;
  [[nodiscard]] ReadyVersion* by_id(const TenantId& tenant, std::string_view module_id) const;
  // Who serves a route, or a version, that this node does not; nullptr where nobody is known to.
  [[nodiscard]] const std::vector<Peer>* remote(const TenantId& tenant, std::string_view name) const;
  [[nodiscard]] const std::vector<Peer>* remote_version(const TenantId& tenant, std::string_view module_id) const;
  // Who gets copies of the requests to `name`; nullptr where nobody does. Worth asking where has_shadows() says so.
  [[nodiscard]] const ShadowRoute* shadow_of(const TenantId& tenant, std::string_view name) const;
  [[nodiscard]] bool has_shadows() const noexcept { return has_shadows_; }
  struct HttpMatch {
    ReadyVersion* version = nullptr;           // nullptr where nothing answers here
    std::size_t prefix_size = 0;               // bytes of the path before the '/' that the guest's path begins with
    const std::vector<Peer>* peers = nullptr;  // where other nodes answer instead
    const ShadowRoute* shadow = nullptr;
  };
  // The longest path prefix that matches, a route of this host before one of any host. `host` may carry a port.
  [[nodiscard]] HttpMatch by_http(std::string_view host, std::string_view path, Draw draw) const;
  [[nodiscard]] std::int64_t revision() const noexcept { return revision_; }
  [[nodiscard]] std::size_t version_count() const noexcept { return versions_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  template <class T>
  using StringMap = std::unordered_map<std::string, T, Hash, std::equal_to<>>;
  using Peers = std::shared_ptr<const std::vector<Peer>>;
  struct TenantTable {
    StringMap<RouteEntry> names;
    StringMap<std::shared_ptr<ReadyVersion>> versions;
    StringMap<Peers> remotes;
    StringMap<Peers> remote_versions;
  };
  // What answers at a prefix: versions of this node, or else the nodes that have some.
  struct HttpEntry {
    RouteEntry route;
    Peers peers;
  };

  [[nodiscard]] static HttpMatch longest_prefix(const StringMap<HttpEntry>& prefixes, std::string_view path, Draw draw);
  void add_http(const HttpBinding& binding, const HttpEntry& entry);
  void add_fallback(const Route& route, const Peers& peers);

  std::int64_t revision_ = 0;
  bool has_shadows_ = false;
  ReadyVersions versions_;
  StringMap<TenantTable> tenants_;
  // Prefixes without their last '/', so that "/m/name" finds "/m/name/" too.
  StringMap<HttpEntry> any_host_;
  StringMap<StringMap<HttpEntry>> by_host_;  // by lower-case host
};

}  // namespace hotswap::node
