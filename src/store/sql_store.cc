#include "store/sql_store.h"

#include "store/migrations.h"
#include "store/sql.h"

namespace hotswap {

SqlStore::SqlStore(StoreAddress address, std::size_t connections) : pool_(std::move(address), connections) {}

Result<> SqlStore::prepare() {
  return pool_.read([](Connection& connection) { return migrate(connection, migrations()); });
}

Result<> SqlStore::ping() {
  return pool_.read([](Connection& connection) -> Result<> {
    connection.first<long long>(sql::kPing);
    return {};
  });
}

Result<std::unique_ptr<Store>> open_store(const StoreOptions& options) {
  HS_TRY(StoreAddress address, parse_store_url(options.url));
  auto store = std::make_unique<SqlStore>(std::move(address), options.connections);
  HS_CHECK(store->prepare());
  return store;
}

}  // namespace hotswap
