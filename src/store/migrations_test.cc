#include "store/migrations.h"

#include "store/store_fixture.h"

namespace hotswap {
namespace {

class SchemaMigrations : public StoreTest {
 protected:
  [[nodiscard]] StoreAddress address() const { return must(parse_store_url(database_->url())); }
  std::int64_t stands_at() {
    Connection connection(address());
    return connection.first<long long>("SELECT COALESCE(MAX(version), 0) FROM schema_migrations").value_or(-1);
  }
};

TEST(MigrationTable, AscendsFromOneWithoutGaps) {
  std::int64_t expected = 1;
  for (const auto& migration : migrations()) EXPECT_EQ(migration.version, expected++);
}

TEST_P(SchemaMigrations, AreRecordedOnceHoweverOftenTheStoreIsOpened) {
  store_ = open();
  store_ = open();
  Connection connection(address());
  EXPECT_EQ(connection.first<long long>("SELECT COUNT(*) FROM schema_migrations").value_or(0),
            static_cast<long long>(migrations().size()));
}

TEST_P(SchemaMigrations, ASchemaNewerThanTheProgramIsRefused) {
  Connection(address()).execute(
      "INSERT INTO schema_migrations (version, name, applied_at) VALUES (999, 'from the future', 'later')");
  const auto result = open_store({database_->url(), 1});
  ASSERT_EQ(kind_of(result), ErrorKind::kConflict);
  EXPECT_THAT(result.error().detail, testing::HasSubstr("newer HotSwap"));
  EXPECT_THAT(result.error().detail, testing::HasSubstr("999"));
}

TEST_P(SchemaMigrations, OnlyTheMissingOnesAreApplied) {
  std::vector<Migration> table(migrations().begin(), migrations().end());
  const std::int64_t next = table.back().version + 1;
  table.push_back({next, "next", {"CREATE TABLE next_things (id BIGINT)", "INSERT INTO next_things VALUES (1)"}});
  Connection connection(address());
  ASSERT_TRUE(migrate(connection, table).has_value());
  ASSERT_TRUE(migrate(connection, table).has_value());
  EXPECT_EQ(connection.first<long long>("SELECT COUNT(*) FROM next_things").value_or(0), 1);
  EXPECT_EQ(stands_at(), next);
}

TEST_P(SchemaMigrations, AFailedOneLeavesNothingOfItself) {
  std::vector<Migration> table(migrations().begin(), migrations().end());
  const std::int64_t newest = table.back().version;
  table.push_back({newest + 1, "broken", {"CREATE TABLE half_made (id BIGINT)", "CREATE NONSENSE"}});
  {
    Connection connection(address());
    EXPECT_THROW((void)migrate(connection, table), soci::soci_error);
  }
  EXPECT_EQ(stands_at(), newest);
  EXPECT_THROW(Connection(address()).execute("SELECT * FROM half_made"), soci::soci_error);
}

HOTSWAP_ON_BOTH_DATABASES(SchemaMigrations);

}  // namespace
}  // namespace hotswap
