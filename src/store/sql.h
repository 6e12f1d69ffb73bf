// Every statement of the store. One text serves SQLite (3.35 or later) and PostgreSQL: parameters are SOCI's `:name`,
// upserts and RETURNING are common to both, and row values compare keysets. Schema changes stand in migrations.cc.
#pragma once

#include <string_view>

namespace hotswap::sql {

using Text = std::string_view;

// ---- tenants
// Takes `count` event sequences and returns the last one. Also the lock that puts the writes of one tenant in a row:
// every writing transaction runs it first (with 0 where it appends no event).
inline constexpr Text kTakeSequences =
    "INSERT INTO tenants (tenant, last_event) VALUES (:tenant, :count) "
    "ON CONFLICT (tenant) DO UPDATE SET last_event = tenants.last_event + excluded.last_event RETURNING last_event";

// ---- modules
inline constexpr Text kInsertModule =
    "INSERT INTO modules (tenant, module_id, name, major, minor, patch, status, checksum, size_bytes, registered_at, "
    "search_text, deployment_count, invocation_count, document) VALUES (:tenant, :module_id, :name, :major, :minor, "
    ":patch, :status, :checksum, :size_bytes, :registered_at, :search_text, :deployment_count, :invocation_count, "
    ":document)";
inline constexpr Text kModule =
    "SELECT document, deployment_count, invocation_count FROM modules "
    "WHERE tenant = :tenant AND module_id = :module_id";
inline constexpr Text kUpdateModule =
    "UPDATE modules SET status = :status, search_text = :search_text, document = :document "
    "WHERE tenant = :tenant AND module_id = :module_id";
inline constexpr Text kDeleteModule = "DELETE FROM modules WHERE tenant = :tenant AND module_id = :module_id";
inline constexpr Text kCountModules = "SELECT COUNT(*) FROM modules";
inline constexpr Text kDigestInUse = "SELECT 1 FROM modules WHERE checksum = :checksum LIMIT 1";
inline constexpr Text kAddInvocations =
    "UPDATE modules SET invocation_count = invocation_count + :count "
    "WHERE tenant = :tenant AND module_id = :module_id";
inline constexpr Text kCountDeployment =
    "UPDATE modules SET deployment_count = deployment_count + 1 WHERE tenant = :tenant AND module_id = :module_id";

// Retention: all versions of a name, and whether something refers to each.
inline constexpr Text kRetentionCandidates =
    "SELECT m.module_id, m.major, m.minor, m.patch, CASE WHEN EXISTS (SELECT 1 FROM module_references r "
    "WHERE r.tenant = m.tenant AND r.module_id = m.module_id) THEN 1 ELSE 0 END "
    "FROM modules m WHERE m.tenant = :tenant AND m.name = :name";

// A listing is kListModules, those filters that the query has, one of kAfter…, one of kBy… and kLimit.
inline constexpr Text kListModules =
    "SELECT document, deployment_count, invocation_count FROM modules WHERE tenant = :tenant";
inline constexpr Text kWithName = " AND name = :name";
inline constexpr Text kWithStatus = " AND status = :status";
inline constexpr Text kWithText = " AND search_text LIKE :pattern ESCAPE '!'";
inline constexpr Text kAfterName = " AND (name, major, minor, patch) > (:k_name, :k_major, :k_minor, :k_patch)";
inline constexpr Text kBeforeName = " AND (name, major, minor, patch) < (:k_name, :k_major, :k_minor, :k_patch)";
inline constexpr Text kAfterRegistration =
    " AND (registered_at, name, major, minor, patch) > (:k_first, :k_name, :k_major, :k_minor, :k_patch)";
inline constexpr Text kBeforeRegistration =
    " AND (registered_at, name, major, minor, patch) < (:k_first, :k_name, :k_major, :k_minor, :k_patch)";
inline constexpr Text kAfterSize =
    " AND (size_bytes, name, major, minor, patch) > (:k_first, :k_name, :k_major, :k_minor, :k_patch)";
inline constexpr Text kBeforeSize =
    " AND (size_bytes, name, major, minor, patch) < (:k_first, :k_name, :k_major, :k_minor, :k_patch)";
inline constexpr Text kByName = " ORDER BY name, major, minor, patch";
inline constexpr Text kByNameDown = " ORDER BY name DESC, major DESC, minor DESC, patch DESC";
inline constexpr Text kByRegistration = " ORDER BY registered_at, name, major, minor, patch";
inline constexpr Text kByRegistrationDown =
    " ORDER BY registered_at DESC, name DESC, major DESC, minor DESC, patch DESC";
inline constexpr Text kBySize = " ORDER BY size_bytes, name, major, minor, patch";
inline constexpr Text kBySizeDown = " ORDER BY size_bytes DESC, name DESC, major DESC, minor DESC, patch DESC";
inline constexpr Text kLimit = " LIMIT :limit";

// ---- references from routes and unfinished deployments to modules
// Through the modules table, so that a module that is not there gives no row.
inline constexpr Text kAddReference =
    "INSERT INTO module_references (tenant, module_id, kind, referrer, region) "
    "SELECT m.tenant, m.module_id, :kind, :referrer, :region FROM modules m "
    "WHERE m.tenant = :tenant AND m.module_id = :module_id RETURNING module_id";
inline constexpr Text kDropReferences =
    "DELETE FROM module_references "
    "WHERE tenant = :tenant AND kind = :kind AND referrer = :referrer AND region = :region";
inline constexpr Text kReferencesTo =
    "SELECT kind, referrer, region FROM module_references WHERE tenant = :tenant AND module_id = :module_id "
    "ORDER BY kind, referrer, region LIMIT :limit";
inline constexpr Text kReferencedModules =
    "SELECT m.tenant, m.document, m.deployment_count, m.invocation_count FROM modules m WHERE EXISTS (SELECT 1 "
    "FROM module_references r WHERE r.tenant = m.tenant AND r.module_id = m.module_id) "
    "ORDER BY m.tenant, m.name, m.major, m.minor, m.patch";

// ---- deployments
inline constexpr Text kDeployment =
    "SELECT document, revision FROM deployments WHERE tenant = :tenant AND deployment_id = :deployment_id";
inline constexpr Text kInsertDeployment =
    "INSERT INTO deployments (tenant, deployment_id, module_id, module_name, status, unfinished, created_at, revision, "
    "document) VALUES (:tenant, :deployment_id, :module_id, :module_name, :status, :unfinished, :created_at, 1, "
    ":document)";
inline constexpr Text kUpdateDeployment =
    "UPDATE deployments SET module_id = :module_id, module_name = :module_name, status = :status, "
    "unfinished = :unfinished, created_at = :created_at, revision = revision + 1, document = :document "
    "WHERE tenant = :tenant AND deployment_id = :deployment_id AND revision = :expected";
inline constexpr Text kUnfinishedDeployments =
    "SELECT tenant, document, revision FROM deployments WHERE unfinished = 1 "
    "ORDER BY tenant, created_at, deployment_id";

// Through the tenants, so that the index by tenant and creation serves it.
inline constexpr Text kCountDeployments =
    "SELECT COUNT(*) FROM tenants t JOIN deployments d ON d.tenant = t.tenant AND d.created_at > :since";

// Newest first; composed as the listing of modules is.
inline constexpr Text kListDeployments = "SELECT document FROM deployments WHERE tenant = :tenant";
inline constexpr Text kOfModuleName = " AND module_name = :module_name";
inline constexpr Text kOfModule = " AND module_id = :module_id";
inline constexpr Text kBeforeDeployment = " AND (created_at, deployment_id) < (:k_created, :k_id)";
inline constexpr Text kByCreationDown = " ORDER BY created_at DESC, deployment_id DESC";

// ---- events
inline constexpr Text kInsertEvent =
    "INSERT INTO events (tenant, sequence, deployment_id, document) "
    "VALUES (:tenant, :sequence, :deployment_id, :document)";
inline constexpr Text kEvents =
    "SELECT sequence, document FROM events WHERE tenant = :tenant AND deployment_id = :deployment_id "
    "AND sequence > :after ORDER BY sequence LIMIT :limit";

// ---- routes
inline constexpr Text kPutRoute =
    "INSERT INTO routes (tenant, name, region, document) VALUES (:tenant, :name, :region, :document) "
    "ON CONFLICT (tenant, name, region) DO UPDATE SET document = excluded.document";
inline constexpr Text kDropRoute = "DELETE FROM routes WHERE tenant = :tenant AND name = :name AND region = :region";
inline constexpr Text kRouteRevision = "SELECT revision FROM route_revision WHERE only_row = 1";
inline constexpr Text kBumpRouteRevision =
    "UPDATE route_revision SET revision = revision + 1 WHERE only_row = 1 RETURNING revision";
// One statement, so that revision and routes belong together. A revision without routes gives one empty document.
inline constexpr Text kAllRoutes =
    "SELECT v.revision, COALESCE(r.document, '') FROM route_revision v LEFT JOIN routes r ON 1 = 1 "
    "WHERE v.only_row = 1 ORDER BY r.tenant, r.name, r.region";

// ---- nodes
inline constexpr Text kPutNode =
    "INSERT INTO nodes (node_id, region, document) VALUES (:node_id, :region, :document) "
    "ON CONFLICT (node_id) DO UPDATE SET region = excluded.region, document = excluded.document";
inline constexpr Text kDropNode = "DELETE FROM nodes WHERE node_id = :node_id";
inline constexpr Text kNode = "SELECT document FROM nodes WHERE node_id = :node_id";
inline constexpr Text kAllNodes = "SELECT document FROM nodes ORDER BY node_id";
inline constexpr Text kInsertJoinToken =
    "INSERT INTO join_tokens (token_id, secret, created_at, document) "
    "VALUES (:token_id, :secret, :created_at, :document)";
inline constexpr Text kUpdateJoinToken = "UPDATE join_tokens SET document = :document WHERE token_id = :token_id";
inline constexpr Text kCountJoinTokens = "SELECT COUNT(*) FROM join_tokens";
inline constexpr Text kJoinToken = "SELECT document FROM join_tokens WHERE token_id = :token_id";
inline constexpr Text kJoinTokenBySecret = "SELECT document FROM join_tokens WHERE secret = :secret";
inline constexpr Text kJoinTokens = "SELECT document FROM join_tokens ORDER BY created_at, token_id";

// ---- decisions about the number of nodes
inline constexpr Text kTakeScalingSequence =
    "UPDATE scaling_sequence SET last = last + 1 WHERE only_row = 1 RETURNING last";
inline constexpr Text kInsertScalingEvent =
    "INSERT INTO scaling_events (sequence, region, untold, document) VALUES (:sequence, :region, :untold, :document)";
inline constexpr Text kDropScalingEvents = "DELETE FROM scaling_events WHERE sequence <= :sequence";
// Composed as the listing of modules is.
inline constexpr Text kListScalingEvents = "SELECT sequence, document FROM scaling_events WHERE sequence < :before";
inline constexpr Text kOfRegion = " AND region = :region";
inline constexpr Text kBySequenceDown = " ORDER BY sequence DESC";
inline constexpr Text kUntoldScalingEvent =
    "SELECT sequence, document FROM scaling_events WHERE untold = 1 ORDER BY sequence LIMIT 1";
inline constexpr Text kScalingEventTold = "UPDATE scaling_events SET untold = 0 WHERE sequence = :sequence";

// ---- mail that waits to be sent
inline constexpr Text kTakeMailSequence = "UPDATE mail_sequence SET last = last + 1 WHERE only_row = 1 RETURNING last";
inline constexpr Text kInsertMail =
    "INSERT INTO mails (sequence, due, tries, document) VALUES (:sequence, :due, 0, :document)";
inline constexpr Text kDropMails = "DELETE FROM mails WHERE sequence <= :sequence";
inline constexpr Text kNextMail = "SELECT sequence, due, tries, document FROM mails ORDER BY due, sequence LIMIT 1";
inline constexpr Text kDropMail = "DELETE FROM mails WHERE sequence = :sequence";
inline constexpr Text kPostponeMail = "UPDATE mails SET due = :due, tries = tries + 1 WHERE sequence = :sequence";

// ---- interfaces; those of the platform belong to the tenant without a name
inline constexpr Text kInsertInterface =
    "INSERT INTO interfaces (tenant, interface_id, package_namespace, name, version_key, status, checksum, revision, "
    "document, texts) VALUES (:tenant, :interface_id, :package_namespace, :name, :version_key, :status, :checksum, 1, "
    ":document, :texts)";
inline constexpr Text kInterface =
    "SELECT revision, document, texts FROM interfaces WHERE tenant IN (:tenant, '') AND interface_id = :interface_id "
    "ORDER BY tenant LIMIT 1";
inline constexpr Text kReplaceInterface =
    "UPDATE interfaces SET status = :status, checksum = :checksum, revision = revision + 1, document = :document, "
    "texts = :texts WHERE tenant = :tenant AND interface_id = :interface_id";
inline constexpr Text kUpdateInterface =
    "UPDATE interfaces SET status = :status, revision = revision + 1, document = :document "
    "WHERE tenant = :tenant AND interface_id = :interface_id AND revision = :expected RETURNING revision";
inline constexpr Text kCountInterfaces = "SELECT COUNT(*) FROM interfaces WHERE tenant = :tenant";
inline constexpr Text kPlatformInterfaces = "SELECT interface_id, checksum FROM interfaces WHERE tenant = ''";
inline constexpr Text kDropPlatformInterface =
    "DELETE FROM interfaces WHERE tenant = '' AND interface_id = :interface_id";
// Composed as the listing of modules is.
inline constexpr Text kListInterfaces = "SELECT document FROM interfaces WHERE tenant IN (:tenant, '')";
inline constexpr Text kOfNamespace = " AND package_namespace = :package_namespace";
inline constexpr Text kAfterInterface =
    " AND (package_namespace, name, version_key, interface_id) > (:k_namespace, :k_name, :k_version, :k_id)";
inline constexpr Text kByInterface = " ORDER BY package_namespace, name, version_key, interface_id";

// ---- schema
inline constexpr Text kPing = "SELECT MAX(version) FROM schema_migrations";

}  // namespace hotswap::sql
