#include "store/connection.h"

#include "store/cursor.h"
#include "store/store_fixture.h"
#include "store/text_search.h"

namespace hotswap {
namespace {

TEST(StoreUrl, NamesADatabaseAndATarget) {
  EXPECT_EQ(must(parse_store_url("sqlite:///var/lib/rows.db")).target, "/var/lib/rows.db");
  EXPECT_EQ(must(parse_store_url("sqlite://data/rows.db")).target, "data/rows.db");
  const auto postgresql = must(parse_store_url("postgresql://u:p@h:5432/d"));
  EXPECT_EQ(postgresql.backend, Backend::Postgresql);
  EXPECT_EQ(postgresql.target, "postgresql://u:p@h:5432/d");
}

TEST(StoreUrl, AnythingElseIsInvalid) {
  for (const char* url : {"", "mysql://x", "sqlite:", "sqlite://", "sqlite:///folder/", "sqlite:///a\"b"}) {
    EXPECT_EQ(kind_of(parse_store_url(url)), ErrorKind::kInvalid) << url;
  }
}

TEST(OpeningAStore, WhoseFolderIsMissingIsUnavailable) {
  const TempFolder folder;
  EXPECT_EQ(kind_of(open_store({"sqlite://" + folder.path() + "/no/rows.db", 1})), ErrorKind::kUnavailable);
}

TEST(OpeningAStore, WhoseFileIsNoDatabaseFails) {
  EXPECT_FALSE(open_store({"sqlite:///proc/self/cmdline", 1}).has_value());
}

TEST(OpeningAStore, NeverShowsThePassword) {
  const auto result = open_store({"postgresql://user:s3cret-word@127.0.0.1:1/nothing", 1});
  ASSERT_EQ(kind_of(result), ErrorKind::kUnavailable);
  EXPECT_THAT(result.error().detail, testing::Not(testing::HasSubstr("s3cret-word")));
}

class StoreSessions : public StoreTest {};

TEST_P(StoreSessions, AreReplacedWhenTheServerEndsThem) {
  const Module module = make_module("x", {1, 0, 0});
  must(store_->add_module(kTenant, module, kKeepAll));
  cut_connections();
  EXPECT_TRUE(store_->ping().has_value());
  cut_connections();
  EXPECT_FALSE(must(store_->add_module(kTenant, make_module("x", {1, 1, 0}), kKeepAll)).existed);
  EXPECT_EQ(must(store_->count_modules()), 2);
}

TEST_P(StoreSessions, AnErrorShowsNeitherStatementNorParameters) {
  const Module module = make_module("secret-name", {1, 0, 0});
  Connection(must(parse_store_url(database_->url()))).execute("DROP TABLE module_references");
  const auto result = store_->add_module(kTenant, module, kKeepAll);
  ASSERT_EQ(kind_of(result), ErrorKind::kInternal);
  EXPECT_THAT(result.error().detail, testing::Not(testing::HasSubstr("secret-name")));
  EXPECT_EQ(must(store_->count_modules()), 0);
}

TEST_P(StoreSessions, ARowThatCannotBeReadIsAnInternalError) {
  const Module module = make_module("x", {1, 0, 0});
  must(store_->add_module(kTenant, module, kKeepAll));
  Connection(must(parse_store_url(database_->url()))).execute("UPDATE modules SET document = '{'");
  EXPECT_EQ(kind_of(store_->module(kTenant, module.moduleId)), ErrorKind::kInternal);
}

HOTSWAP_ON_BOTH_DATABASES(StoreSessions);

TEST(SqliteFile, IsSafeAgainstPowerLoss) {
  const Database database("sqlite");
  Connection connection(must(parse_store_url(database.url())));
  EXPECT_EQ(connection.first<std::string>("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(connection.first<std::string>("PRAGMA synchronous"), "2");  // FULL
  EXPECT_EQ(connection.first<std::string>("PRAGMA foreign_keys"), "1");
}

TEST(SqliteFile, MayStandInAFolderWithSpaces) {
  const TempFolder folder;
  EXPECT_TRUE(open_store({"sqlite://" + folder.path() + "/my rows; timeout=1.db", 1}).has_value());
}

TEST(Cursor, ReturnsItsKeysForTheSameQueryOnly) {
  const CursorKeys keys{std::string("näme \"quoted\""), std::int64_t{-5}, std::int64_t{1} << 60};
  const std::string cursor = encode_cursor("query", keys);
  EXPECT_EQ(must(decode_cursor("query", cursor, keys)), keys);
  EXPECT_EQ(kind_of(decode_cursor("another", cursor, keys)), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(decode_cursor("query", cursor, {std::string()})), ErrorKind::kInvalid);
}

TEST(TextSearch, FoldsUnicodeAndEscapesWildcards) {
  EXPECT_EQ(fold_case("ÄÖÜ Straße ΑΒΓ ДЖ 日本 😀"), "äöü straße αβγ дж 日本 😀");
  EXPECT_EQ(contains_pattern("50%_!Off"), "%50!%!_!!off%");
}

}  // namespace
}  // namespace hotswap
