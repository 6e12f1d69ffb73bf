#include "base/limits.h"
#include "store/rows.h"
#include "store/sql.h"
#include "store/sql_store.h"

namespace hotswap {
namespace {

template <class T>
Result<std::vector<T>> read_all(const std::vector<std::tuple<std::string>>& rows) {
  std::vector<T> all;
  all.reserve(rows.size());
  for (const auto& [document] : rows) {
    HS_TRY(T value, rows::read_document<T>(document));
    all.push_back(std::move(value));
  }
  return all;
}

std::int64_t created_at(const JoinToken& token) { return token.createdAt.time_since_epoch().count(); }

// A pinned version is referred to by its node, and not removed.
Result<> drop_pins(Connection& connection, const NodeId& id) {
  const auto document = connection.first<std::string>(sql::kNode, {{"node_id", id.str()}});
  if (!document) return {};
  HS_TRY(const NodeRecord before, rows::read_document<NodeRecord>(*document));
  for (const auto& pin : before.pins) rows::drop_references(connection, pin.tenant, rows::pin_referrer(id));
  return {};
}

}  // namespace

Result<> SqlStore::put_node(const NodeRecord& node) {
  return pool_.write([&](Connection& connection) -> Result<> {
    const NodeId& id = node.node.nodeId;
    HS_CHECK(drop_pins(connection, id));
    for (const auto& pin : node.pins) {
      if (rows::add_reference(connection, pin.tenant, pin.moduleId, rows::pin_referrer(id))) continue;
      return fail(ErrorKind::kNotFound, fmt::format("there is no module {}", pin.moduleId.str()));
    }
    connection.execute(sql::kPutNode,
                       {{"node_id", id.str()}, {"region", node.node.region.str()}, {"document", to_json_text(node)}});
    return {};
  });
}

Result<> SqlStore::remove_node(const NodeId& id) {
  return pool_.write([&](Connection& connection) -> Result<> {
    HS_CHECK(drop_pins(connection, id));
    connection.execute(sql::kDropNode, {{"node_id", id.str()}});
    return {};
  });
}

Result<std::vector<NodeRecord>> SqlStore::all_nodes() {
  return pool_.read([&](Connection& connection) -> Result<std::vector<NodeRecord>> {
    return read_all<NodeRecord>(connection.rows<std::string>(sql::kAllNodes));
  });
}

Result<> SqlStore::put_join_token(const JoinToken& token, const std::optional<Digest>& secret) {
  return pool_.write([&](Connection& connection) -> Result<> {
    if (!secret) {
      connection.execute(sql::kUpdateJoinToken, {{"token_id", token.tokenId}, {"document", to_json_text(token)}});
      return {};
    }
    if (connection.first<long long>(sql::kCountJoinTokens).value_or(0) >= static_cast<long long>(limits::kJoinTokens)) {
      return fail(ErrorKind::kConflict, fmt::format("there are {} join tokens, the most that are kept; one token "
                                                    "may serve many nodes",
                                                    limits::kJoinTokens));
    }
    connection.execute(sql::kInsertJoinToken, {{"token_id", token.tokenId},
                                               {"secret", secret->hex()},
                                               {"created_at", created_at(token)},
                                               {"document", to_json_text(token)}});
    return {};
  });
}

Result<std::optional<JoinToken>> SqlStore::join_token_by_secret(const Digest& secret) {
  return pool_.read([&](Connection& connection) -> Result<std::optional<JoinToken>> {
    const auto document = connection.first<std::string>(sql::kJoinTokenBySecret, {{"secret", secret.hex()}});
    if (!document) return std::optional<JoinToken>{};
    HS_TRY(JoinToken token, rows::read_document<JoinToken>(*document));
    return std::optional(std::move(token));
  });
}

Result<JoinToken> SqlStore::join_token(const std::string& id) {
  return pool_.read([&](Connection& connection) -> Result<JoinToken> {
    const auto document = connection.first<std::string>(sql::kJoinToken, {{"token_id", id}});
    if (!document) return fail(ErrorKind::kNotFound, fmt::format("there is no join token {}", id));
    return rows::read_document<JoinToken>(*document);
  });
}

Result<std::vector<JoinToken>> SqlStore::join_tokens() {
  return pool_.read([&](Connection& connection) -> Result<std::vector<JoinToken>> {
    return read_all<JoinToken>(connection.rows<std::string>(sql::kJoinTokens));
  });
}

}  // namespace hotswap
