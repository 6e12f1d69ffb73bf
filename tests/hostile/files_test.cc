// Guests that take more disk than they may, and look for ways out of their folder (samples/hostile-files), against
// Preview 1 and against WASI 0.2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "hostile/attacked_node.h"

namespace hotswap::e2e {
namespace {

using testing::HasSubstr;

constexpr int kSuccess = 0;
constexpr int kNoSpace = 51;
constexpr int kNotPermitted = 63;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kStatBlock = 512;

struct Use {
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
};

// What is on disk below a folder.
Use use_of(const std::string& folder) {
  Use use;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    struct stat found{};
    ++use.entries;
    if (::lstat(entry.path().c_str(), &found) == 0 && !S_ISDIR(found.st_mode)) {
      use.bytes += static_cast<std::uint64_t>(found.st_blocks) * kStatBlock;
    }
  }
  return use;
}

class HostileFilesTest : public testing::TestWithParam<std::string> {
 protected:
  void release(std::vector<std::string> limits) {
    // Each operation waits for threads of the host, and those for their turn where the machine is busy.
    limits.insert(limits.end(), {"--cpu", "100", "--timeout", "100"});
    node_.release(GetParam(), "files", limits);
  }

  std::int64_t call(const std::string& function, const boost::json::array& params) const {
    const auto result = node_.invoke("files", function, params);
    if (!result.is_int64()) throw std::runtime_error(function + ": " + boost::json::serialize(result));
    return result.as_int64();
  }

  [[nodiscard]] Use use() const { return use_of(node_.files("files")); }

  // Refusals of that kind were counted and written down.
  void expect_refusals(const std::string& kind, std::uint64_t count) {
    EXPECT_EQ(node_.refusals(kind), count) << kind;
    EXPECT_EQ(node_.audit(kind).at("moduleId"), "files-v1.0.0");
  }

  AttackedNode node_;
};

INSTANTIATE_TEST_SUITE_P(, HostileFilesTest, testing::Values("hostile-files-p1", "hostile-files"),
                         [](const auto& info) { return info.param == "hostile-files" ? "Wasi02" : "Preview1"; });

TEST_P(HostileFilesTest, AFolderTakesNoMoreBytesThanItMay) {
  release({"--dir", "/data:rw", "--disk", "1"});
  EXPECT_EQ(call("fill", {0, 512}), kSuccess);
  EXPECT_EQ(call("fill", {1, 2048}), kNoSpace);
  EXPECT_LE(use().bytes, kMiB);
  EXPECT_GT(use().bytes, kMiB / 2);
  expect_refusals("Quota", 1);
}

TEST_P(HostileFilesTest, WritingTheSameBytesAgainTakesNoMore) {
  release({"--dir", "/data:rw", "--disk", "1"});
  EXPECT_EQ(call("overwrite", {200}), kSuccess);
  EXPECT_EQ(node_.refusals("Quota"), 0);
}

TEST_P(HostileFilesTest, AByteInEachOfManyHolesTakesABlock) {
  release({"--dir", "/data:rw", "--disk", "1"});
  EXPECT_EQ(call("scatter", {1000}), kNoSpace);
  EXPECT_LE(use().bytes, kMiB);
  expect_refusals("Quota", 1);
}

TEST_P(HostileFilesTest, ManySmallPiecesFillAFolderToItsBound) {
  release({"--dir", "/data:rw", "--disk", "1"});
  EXPECT_EQ(call("append", {20'000, 100}), kNoSpace);
  EXPECT_LE(use().bytes, kMiB);
  EXPECT_GT(use().bytes, kMiB / 2);
}

TEST_P(HostileFilesTest, AFolderTakesNoMoreEntriesThanItMay) {
  release({"--dir", "/data:rw", "--files", "20"});
  for (int kind = 0; kind < 4; ++kind) {
    // "data" and "first" are two of them.
    EXPECT_EQ(call("make", {kind, 100}), 18) << kind;
    EXPECT_EQ(use().entries, 20);
    EXPECT_EQ(call("unmake", {100}), 18) << kind;
  }
  expect_refusals("Quota", 4);
}

TEST_P(HostileFilesTest, InstancesThatWriteAtOnceShareOneBound) {
  release({"--dir", "/data:rw", "--disk", "1", "--files", "6"});
  std::vector<std::future<std::int64_t>> calls;
  for (int file = 0; file < 8; ++file) {
    calls.push_back(std::async(std::launch::async, [this, file] { return call("fill", {file, 512}); }));
  }
  int refused = 0;
  for (auto& running : calls) refused += running.get() == kNoSpace ? 1 : 0;
  EXPECT_GE(refused, 6);
  EXPECT_LE(use().bytes, kMiB);
  EXPECT_LE(use().entries, 6);
}

TEST_P(HostileFilesTest, NoPathLeadsOutOfTheFolder) {
  constexpr int kWays = 14;
  release({"--dir", "/data:rw"});
  const auto before = use_of(std::filesystem::path(node_.files("files")).parent_path()).entries;
  for (int way = 0; way < kWays; ++way) EXPECT_EQ(call("escape", {way}), kNotPermitted) << way;
  expect_refusals("Path", kWays);
  EXPECT_FALSE(std::filesystem::exists("/tmp/hostile-was-here"));
  // "mine", "inner" and links that lead nowhere, all below the folder.
  EXPECT_LE(use_of(std::filesystem::path(node_.files("files")).parent_path()).entries, before + 3);
}

TEST_P(HostileFilesTest, NoRaceLeadsOutOfTheFolder) {
  release({"--dir", "/data:rw"});
  auto swinging = std::async(std::launch::async, [this] { return call("swing", {1'000}); });
  EXPECT_EQ(call("slip", {1'000}), 0);
  EXPECT_EQ(call("slip", {1'000}), 0);
  swinging.get();
}

TEST_P(HostileFilesTest, NothingIsWrittenWhereOnlyReadingIsGranted) {
  release({"--dir", "/data:ro"});
  EXPECT_EQ(call("forbidden", {}), kNotPermitted);
  expect_refusals("Path", 1);
  EXPECT_EQ(use().entries, 1);
}

TEST_P(HostileFilesTest, TheHostsEnvironmentIsNotSeen) {
  release({});
  EXPECT_EQ(call("environment", {}), 0);
}

}  // namespace
}  // namespace hotswap::e2e
