// One database session, and the only file that knows SOCI. Everything here throws soci::soci_error; the pool's edge
// (connection_pool.h) turns that into an Error.
#pragma once

#include <soci/soci.h>

#include <concepts>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "base/result.h"

namespace hotswap {

enum class Backend { Sqlite, Postgresql };

// Where a store is, taken from its URL.
struct StoreAddress {
  Backend backend = Backend::Sqlite;
  std::string target;  // a path, or a libpq connection URI (with its password: never shown)
};
[[nodiscard]] Result<StoreAddress> parse_store_url(std::string_view url);

// A value for `:name` in a statement. The text is checked to be what both databases can hold (UTF-8 without NUL).
struct Parameter {
  Parameter(std::string_view its_name, std::string_view text) : name(its_name), value(std::string(text)) {}
  Parameter(std::string_view its_name, const std::string& text) : name(its_name), value(text) {}
  Parameter(std::string_view its_name, const char* text) : name(its_name), value(std::string(text)) {}
  template <std::integral N>
  Parameter(std::string_view its_name, N number) : name(its_name), value(static_cast<long long>(number)) {}

  std::string name;
  std::variant<std::string, long long> value;
};
using Parameters = std::vector<Parameter>;

// A text parameter was not UTF-8, or held a NUL: no row can match it and none can hold it.
class NotText : public std::runtime_error {
 public:
  explicit NotText(const std::string& parameter)
      : std::runtime_error("\"" + parameter + "\" must be UTF-8 text without NUL") {}
};

// What a failed statement means for the caller.
enum class Fault {
  Broken,  // the session is of no use any more
  Busy,    // the same work may well succeed if repeated
  Other,
};

// Not thread-safe.
class Connection {
 public:
  explicit Connection(const StoreAddress& address);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // All rows. Columns are std::string or long long, and never NULL.
  template <class... Columns>
  std::vector<std::tuple<Columns...>> rows(std::string_view sql, const Parameters& parameters = {}) {
    std::tuple<Columns...> row;
    soci::statement statement(session_);
    std::apply([&](auto&... column) { (statement.exchange(soci::into(column)), ...); }, row);
    prepare(statement, sql, parameters);
    statement.execute();
    std::vector<std::tuple<Columns...>> all;
    while (statement.fetch()) all.push_back(row);
    return all;
  }

  // The first row's only column.
  template <class Column>
  std::optional<Column> first(std::string_view sql, const Parameters& parameters = {}) {
    auto all = rows<Column>(sql, parameters);
    if (all.empty()) return std::nullopt;
    return std::get<0>(std::move(all.front()));
  }

  // The number of rows that changed.
  long long execute(std::string_view sql, const Parameters& parameters = {});

  void begin_write();
  void begin_migration();  // alone among all processes that have this database open
  void commit();
  void rollback();
  [[nodiscard]] bool in_transaction() const noexcept { return in_transaction_; }
  // commit() was called and did not return: whether the transaction took effect is not known.
  [[nodiscard]] bool commit_in_doubt() const noexcept { return committing_; }

  [[nodiscard]] Fault fault_of(const soci::soci_error& error);

 private:
  // `parameters` must live until the statement ends.
  void prepare(soci::statement& statement, std::string_view sql, const Parameters& parameters);
  void set_up_sqlite();
  void set_up_postgresql();

  Backend backend_;
  soci::session session_;
  bool in_transaction_ = false;
  bool committing_ = false;
};

}  // namespace hotswap
