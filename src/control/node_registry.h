// Who may be a node: join tokens, the credentials that they are exchanged for, and what people decided about each node.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "control/publication.h"
#include "control/settings.h"
#include "control/signal.h"
#include "model/node.h"
#include "store/store.h"

namespace hotswap::control {

// Everything on one executor. Every change is in the store before it takes effect here.
class NodeRegistry {
 public:
  struct Parts {
    Store& store;
    BlockingPool& pool;
    const Clock& clock;
    Random& random;
  };
  // `changed` is notified with every change of a node.
  NodeRegistry(asio::any_io_executor home, const Options& options, Parts parts, Signal& changed)
      : options_(options), parts_(parts), changed_(changed), turnstile_(std::move(home)) {}

  Task<Result<>> load();

  // ---- join tokens
  struct MadeToken {
    JoinToken token;
    std::string secret;  // told this once
  };
  Task<Result<MadeToken>> create_token(Principal principal, JoinTokenRequest request);
  Task<Result<std::vector<JoinToken>>> tokens();
  // Nodes that joined with it stay; kNotFound where there is none.
  Task<Result<JoinToken>> revoke_token(std::string id);

  // ---- nodes
  // Exchanges a join token for a credential of the node's own. A node that is known already loses the ones it had.
  Task<Result<IssuedCredential>> join(std::string secret, NodeDescription node);
  // A newer credential; the one that was shown goes when the new one is first used.
  Task<Result<IssuedCredential>> rotate(NodeId id, std::string credential);
  // kUnauthorized unless the credential is the node's and alive. Lets go of the ones before it.
  Task<Result<>> authenticate(NodeId id, std::string credential);
  // A node in this process, or one that says how it has changed since it joined.
  Task<Result<>> introduce(NodeDescription node);
  Task<Result<NodeRecord>> set_enabled(NodeId id, bool enabled);  // enabling ends draining too
  Task<Result<NodeRecord>> drain(NodeId id);
  Task<Result<NodeRecord>> pin(NodeId id, Pin pin);
  Task<Result<NodeRecord>> unpin(NodeId id, Pin pin);
  Task<Result<>> remove(NodeId id);

  // Another number after each change of a node.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  [[nodiscard]] const std::map<NodeId, NodeRecord>& nodes() const noexcept { return nodes_; }
  // The versions that are pinned to a node.
  [[nodiscard]] std::vector<SharedVersion> pinned(const NodeId& id) const;
  // nullptr where the node never registered.
  [[nodiscard]] const NodeRecord* find(const NodeId& id) const;

 private:
  template <class Change>
  Task<Result<NodeRecord>> change(NodeId id, Change change);
  Task<Result<>> save(NodeRecord record);
  Task<Result<Module>> remember_pinned(Pin pin);
  Result<> check(const NodeDescription& node) const;
  IssuedCredential issue(NodeRecord& record) const;
  [[nodiscard]] std::string new_secret(std::string_view prefix) const;

  const Options& options_;
  Parts parts_;
  Signal& changed_;
  Turnstile turnstile_;
  std::uint64_t version_ = 1;
  std::map<NodeId, NodeRecord> nodes_;
  std::map<VersionKey, SharedVersion> pinned_;  // every one that some node is pinned to, and perhaps more
};

}  // namespace hotswap::control
