#include "store/migrations.h"

#include <fmt/format.h>

namespace hotswap {
namespace {

// COLLATE "binary" is SQLite's built-in BINARY and, in PostgreSQL, the collation that Connection creates from "C": text
// sorts by its bytes in both, whatever the locale of the database.
const std::vector<Migration>& table() {
  static const std::vector<Migration> kTable{
      {1,
       "modules, deployments, routes, events",
       {
           // One row for each tenant that ever wrote: its event counter, and the lock of its writes.
           R"(CREATE TABLE tenants (
                tenant TEXT COLLATE "binary" NOT NULL PRIMARY KEY,
                last_event BIGINT NOT NULL))",

           R"(CREATE TABLE modules (
                tenant TEXT COLLATE "binary" NOT NULL,
                module_id TEXT COLLATE "binary" NOT NULL,
                organization TEXT,
                name TEXT COLLATE "binary" NOT NULL,
                major BIGINT NOT NULL,
                minor BIGINT NOT NULL,
                patch BIGINT NOT NULL,
                status TEXT NOT NULL,
                checksum TEXT NOT NULL,
                size_bytes BIGINT NOT NULL,
                registered_at BIGINT NOT NULL,
                search_text TEXT COLLATE "binary" NOT NULL,
                deployment_count BIGINT NOT NULL,
                invocation_count BIGINT NOT NULL,
                document TEXT NOT NULL,
                PRIMARY KEY (tenant, module_id)))",
           "CREATE UNIQUE INDEX modules_by_name ON modules (tenant, name, major, minor, patch)",
           "CREATE INDEX modules_by_registration ON modules (tenant, registered_at, name, major, minor, patch)",
           "CREATE INDEX modules_by_size ON modules (tenant, size_bytes, name, major, minor, patch)",
           "CREATE INDEX modules_by_checksum ON modules (checksum)",

           // What keeps a version from being removed. kind 'route': referrer is the name, in one region;
           // kind 'deployment': referrer is the id, region is empty.
           R"(CREATE TABLE module_references (
                tenant TEXT COLLATE "binary" NOT NULL,
                module_id TEXT COLLATE "binary" NOT NULL,
                kind TEXT NOT NULL,
                referrer TEXT COLLATE "binary" NOT NULL,
                region TEXT COLLATE "binary" NOT NULL,
                PRIMARY KEY (tenant, module_id, kind, referrer, region),
                FOREIGN KEY (tenant, module_id) REFERENCES modules (tenant, module_id)))",
           "CREATE INDEX module_references_by_referrer ON module_references (tenant, kind, referrer, region)",

           R"(CREATE TABLE deployments (
                tenant TEXT COLLATE "binary" NOT NULL,
                deployment_id TEXT COLLATE "binary" NOT NULL,
                organization TEXT,
                module_id TEXT COLLATE "binary" NOT NULL,
                module_name TEXT COLLATE "binary" NOT NULL,
                status TEXT NOT NULL,
                unfinished BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                revision BIGINT NOT NULL,
                document TEXT NOT NULL,
                PRIMARY KEY (tenant, deployment_id)))",
           "CREATE INDEX deployments_by_creation ON deployments (tenant, created_at, deployment_id)",
           R"(CREATE INDEX deployments_unfinished ON deployments (tenant, created_at, deployment_id)
              WHERE unfinished = 1)",

           R"(CREATE TABLE events (
                tenant TEXT COLLATE "binary" NOT NULL,
                sequence BIGINT NOT NULL,
                deployment_id TEXT COLLATE "binary" NOT NULL,
                document TEXT NOT NULL,
                PRIMARY KEY (tenant, sequence),
                FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, deployment_id)))",
           "CREATE INDEX events_by_deployment ON events (tenant, deployment_id, sequence)",

           R"(CREATE TABLE routes (
                tenant TEXT COLLATE "binary" NOT NULL,
                name TEXT COLLATE "binary" NOT NULL,
                region TEXT COLLATE "binary" NOT NULL,
                organization TEXT,
                document TEXT NOT NULL,
                PRIMARY KEY (tenant, name, region)))",
           "CREATE TABLE route_revision (only_row BIGINT NOT NULL PRIMARY KEY, revision BIGINT NOT NULL)",
           "INSERT INTO route_revision (only_row, revision) VALUES (1, 0)",
       }},
      {2,
       "nodes, join tokens",
       {
           R"(CREATE TABLE nodes (
                node_id TEXT COLLATE "binary" NOT NULL PRIMARY KEY,
                region TEXT COLLATE "binary" NOT NULL,
                document TEXT NOT NULL))",
           // `secret` is the digest of what a node shows.
           R"(CREATE TABLE join_tokens (
                token_id TEXT COLLATE "binary" NOT NULL PRIMARY KEY,
                secret TEXT COLLATE "binary" NOT NULL UNIQUE,
                created_at BIGINT NOT NULL,
                document TEXT NOT NULL))",
       }},
      {3,
       "scaling events",
       {
           R"(CREATE TABLE scaling_events (
                sequence BIGINT NOT NULL PRIMARY KEY,
                region TEXT COLLATE "binary" NOT NULL,
                untold BIGINT NOT NULL,
                document TEXT NOT NULL))",
           "CREATE INDEX scaling_events_by_region ON scaling_events (region, sequence)",
           "CREATE INDEX scaling_events_untold ON scaling_events (sequence) WHERE untold = 1",
           // Taken from here, so that a sequence is never given twice, and writers stand in a row.
           "CREATE TABLE scaling_sequence (only_row BIGINT NOT NULL PRIMARY KEY, last BIGINT NOT NULL)",
           "INSERT INTO scaling_sequence (only_row, last) VALUES (1, 0)",
       }},
      {4,
       "interfaces",
       {
           // The platform's own belong to the tenant without a name. `texts` is apart, so that a list does not read it.
           R"(CREATE TABLE interfaces (
                tenant TEXT COLLATE "binary" NOT NULL,
                interface_id TEXT COLLATE "binary" NOT NULL,
                package_namespace TEXT COLLATE "binary" NOT NULL,
                name TEXT COLLATE "binary" NOT NULL,
                version_key TEXT COLLATE "binary" NOT NULL,
                status TEXT NOT NULL,
                checksum TEXT NOT NULL,
                revision BIGINT NOT NULL,
                document TEXT NOT NULL,
                texts TEXT NOT NULL,
                PRIMARY KEY (tenant, interface_id)))",
           "CREATE INDEX interfaces_by_name ON interfaces (tenant, package_namespace, name, version_key)",
       }},
      {5,
       "mail",
       {
           R"(CREATE TABLE mails (
                sequence BIGINT NOT NULL PRIMARY KEY,
                due BIGINT NOT NULL,
                tries BIGINT NOT NULL,
                document TEXT NOT NULL))",
           "CREATE INDEX mails_by_due ON mails (due, sequence)",
           "CREATE TABLE mail_sequence (only_row BIGINT NOT NULL PRIMARY KEY, last BIGINT NOT NULL)",
           "INSERT INTO mail_sequence (only_row, last) VALUES (1, 0)",
       }},
  };
  return kTable;
}

std::int64_t schema_version(Connection& connection) {
  connection.execute(
      "CREATE TABLE IF NOT EXISTS schema_migrations "
      "(version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)");
  return connection.first<long long>("SELECT COALESCE(MAX(version), 0) FROM schema_migrations").value_or(0);
}

// In one transaction: finds where the schema stands and, where it lags, takes one step. True = there may be more.
Result<bool> step(Connection& connection, std::span<const Migration> known) {
  connection.begin_migration();
  const std::int64_t stands_at = schema_version(connection);
  const std::int64_t newest = known.empty() ? 0 : known.back().version;
  if (stands_at > newest) {
    connection.rollback();
    return fail(ErrorKind::kConflict,
                fmt::format("the store was written by a newer HotSwap: its schema is version {}, this program knows up "
                            "to {}; start that newer version, or point this one at another store",
                            stands_at, newest));
  }
  for (const auto& migration : known) {
    if (migration.version <= stands_at) continue;
    for (const auto statement : migration.statements) connection.execute(statement);
    connection.execute(
        "INSERT INTO schema_migrations (version, name, applied_at) "
        "VALUES (:version, :name, CAST(CURRENT_TIMESTAMP AS TEXT))",
        {{"version", migration.version}, {"name", migration.name}});
    connection.commit();
    return true;
  }
  connection.commit();
  return false;
}

}  // namespace

std::span<const Migration> migrations() { return table(); }

Result<> migrate(Connection& connection, std::span<const Migration> known) {
  while (true) {
    HS_TRY(const bool more, step(connection, known));
    if (!more) return {};
  }
}

}  // namespace hotswap
