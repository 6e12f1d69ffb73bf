#include "store/connection.h"

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <chrono>
#include <thread>

#include "model/text_rules.h"

namespace hotswap {
namespace {

// How long SQLite waits for another process's write to end.
constexpr int kBusySeconds = 10;

// "HotSwap" in ASCII: PostgreSQL's advisory locks share one space of numbers.
constexpr std::string_view kMigrationLock = "SELECT CAST(pg_advisory_xact_lock(20392085023842672) AS TEXT)";

soci::session open_session(const StoreAddress& address) {
  if (address.backend == Backend::Sqlite) {
    return soci::session(soci::sqlite3, fmt::format("dbname=\"{}\" timeout={}", address.target, kBusySeconds));
  }
  return soci::session(soci::postgresql, address.target);
}

int sqlite_code(const soci::soci_error& error) {
  const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  return sqlite == nullptr ? SQLITE_OK : sqlite->result() & 0xFF;  // without the extended part
}

}  // namespace

Result<StoreAddress> parse_store_url(std::string_view url) {
  constexpr std::string_view kSqlite = "sqlite://";
  if (url.starts_with(kSqlite)) {
    const std::string path(url.substr(kSqlite.size()));
    if (path.empty() || path.ends_with('/')) {
      return fail(ErrorKind::kInvalid, "the store's URL names no file; expected sqlite:///path/to/file.db");
    }
    if (path.contains('"') || path.contains('\0')) {
      return fail(ErrorKind::kInvalid, "the path in the store's URL must contain no '\"' and no NUL");
    }
    return StoreAddress{Backend::Sqlite, path};
  }
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) {
    return StoreAddress{Backend::Postgresql, std::string(url)};
  }
  return fail(ErrorKind::kInvalid,
              "the store's URL must begin with sqlite:/// or postgresql://, such as sqlite:///var/lib/hotswap/rows.db "
              "or postgresql://user:password@host:5432/database");
}

Connection::Connection(const StoreAddress& address) : backend_(address.backend), session_(open_session(address)) {
  if (backend_ == Backend::Sqlite) {
    set_up_sqlite();
  } else {
    set_up_postgresql();
  }
}

Connection::~Connection() = default;

void Connection::set_up_sqlite() {
  // The busy timeout does not cover a change of the journal's mode, which two processes may attempt at once.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(kBusySeconds);
  while (true) {
    try {
      execute("PRAGMA journal_mode = WAL");
      break;
    } catch (const soci::soci_error& error) {
      if (fault_of(error) != Fault::Busy || std::chrono::steady_clock::now() > deadline) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  execute("PRAGMA synchronous = FULL");
  execute("PRAGMA foreign_keys = ON");
}

void Connection::set_up_postgresql() {
  execute("SET client_encoding = 'UTF8'");
  execute("SET client_min_messages = warning");
  // Durability is the store's promise, whatever the server's default.
  execute("SET synchronous_commit = on");
}

void Connection::prepare(soci::statement& statement, std::string_view sql, const Parameters& parameters) {
  for (const auto& parameter : parameters) {
    if (const auto* text = std::get_if<std::string>(&parameter.value)) {
      if (!is_plain_text(*text)) throw NotText(parameter.name);
      statement.exchange(soci::use(*text, parameter.name));
    } else {
      statement.exchange(soci::use(std::get<long long>(parameter.value), parameter.name));
    }
  }
  statement.alloc();
  // One-time: PostgreSQL then needs one round trip instead of three.
  statement.prepare(std::string(sql), soci::details::st_one_time_query);
  statement.define_and_bind();
}

long long Connection::execute(std::string_view sql, const Parameters& parameters) {
  soci::statement statement(session_);
  prepare(statement, sql, parameters);
  statement.execute(true);
  return statement.get_affected_rows();
}

void Connection::begin_write() {
  // IMMEDIATE: a transaction that reads and then writes must not find that another wrote in between.
  execute(backend_ == Backend::Sqlite ? "BEGIN IMMEDIATE" : "BEGIN");
  in_transaction_ = true;
}

void Connection::begin_migration() {
  begin_write();
  if (backend_ == Backend::Postgresql) {
    rows<std::string>(kMigrationLock);
    execute("CREATE COLLATION IF NOT EXISTS \"binary\" FROM \"C\"");
  }
}

void Connection::commit() {
  committing_ = true;
  execute("COMMIT");
  committing_ = false;
  in_transaction_ = false;
}

void Connection::rollback() {
  execute("ROLLBACK");
  committing_ = false;
  in_transaction_ = false;
}

Fault Connection::fault_of(const soci::soci_error& error) {
  if (backend_ == Backend::Sqlite) {
    const int code = sqlite_code(error);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_FULL) return Fault::Busy;
    return code == SQLITE_IOERR || code == SQLITE_CANTOPEN ? Fault::Broken : Fault::Other;
  }
  // libpq cannot name a state for a connection that is gone, so the connection itself is asked.
  if (!session_.is_connected()) return Fault::Broken;
  const auto* known = dynamic_cast<const soci::postgresql_soci_error*>(&error);
  const std::string state = known == nullptr ? std::string() : known->sqlstate();
  if (state.starts_with("08") || state.starts_with("57P")) return Fault::Broken;
  // serialization_failure, deadlock_detected, lock_not_available; 53: disk, memory or connections are used up
  if (state == "40001" || state == "40P01" || state == "55P03" || state.starts_with("53")) return Fault::Busy;
  return Fault::Other;
}

}  // namespace hotswap
