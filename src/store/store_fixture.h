// For tests: a fresh store on each database, and the nouns to fill it with.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "store/store.h"

namespace hotswap {

// A folder that goes away with the object.
class TempFolder {
 public:
  explicit TempFolder(const std::string& parent = {});  // the system's where none is given
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// PostgreSQL 15 as a child process on a Unix socket in a temporary folder; the one of this test program. Stopped and
// removed when the program ends. Nullopt where it is not installed.
[[nodiscard]] std::optional<std::string> postgresql_socket_folder();

// The URL of an empty store of its own; what it occupies goes away with the object.
class Database {
 public:
  explicit Database(const std::string& backend);  // "sqlite" or "postgresql"
  [[nodiscard]] const std::string& url() const { return url_; }
  // Nothing where the database is not installed.
  [[nodiscard]] bool available() const { return !url_.empty(); }

 private:
  TempFolder folder_;
  std::string url_;
};

// Every test of a derived suite runs on both databases.
class StoreTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;
  [[nodiscard]] std::unique_ptr<Store> open(std::size_t connections = 4) const;
  // Ends every other session of the server, as a restart of the server would.
  void cut_connections() const;

  std::optional<Database> database_;
  std::unique_ptr<Store> store_;
};

inline const TenantId kTenant{"default"};
inline const TenantId kOther{"other"};
inline constexpr std::size_t kKeepAll = 1'000'000;
inline constexpr TimePoint kStart{std::chrono::milliseconds{1'790'000'000'000}};

// `content` stands for the binary: the same content has the same checksum.
[[nodiscard]] Module make_module(const std::string& name, Version version, const std::string& content = "wasm");
[[nodiscard]] Deployment make_deployment(const std::string& id, const Module& module,
                                         DeploymentStatus status = DeploymentStatus::Pending);
[[nodiscard]] Route make_route(const TenantId& tenant, const Module& module, const std::string& region);
[[nodiscard]] Event make_event(EventType type = EventType::DeploymentCreated);

// The value, or a failed test and a default value.
template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().detail;
    if constexpr (!std::is_void_v<T>) return T{};
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

template <class T>
ErrorKind kind_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? ErrorKind::kInternal : result.error().kind;
}

#define HOTSWAP_ON_BOTH_DATABASES(suite)                                              \
  INSTANTIATE_TEST_SUITE_P(Databases, suite, testing::Values("sqlite", "postgresql"), \
                           [](const testing::TestParamInfo<std::string>& info) { return info.param; })

}  // namespace hotswap
