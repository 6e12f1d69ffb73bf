#include "sandbox/wasm/code_cache.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "sandbox/wasm/test_guests.h"

namespace hotswap::wasm {
namespace {

namespace fs = std::filesystem;

class CodeCacheTest : public testing::Test {
 protected:
  CodeCacheTest() {
    std::string pattern = testing::TempDir() + "code-cache-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~CodeCacheTest() override { fs::remove_all(folder_); }

  // A module of its own for each `salt`: a custom section makes the bytes differ.
  static std::string module(char salt) { return test_binary("c-add") + std::string{0, 3, 1, 's', salt}; }

  // How often the binary was asked for, which is how often it was compiled.
  int compilations(const CodeCache& cache, char salt) {
    int asked = 0;
    const auto code = cache.get(Sha256::of(module(salt)), [&]() -> Result<std::string> {
      ++asked;
      return module(salt);
    });
    EXPECT_TRUE(code) << code.error().detail;
    return asked;
  }

  fs::path file_of(char salt) const {
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      if (entry.path().stem() == Sha256::of(module(salt)).hex()) return entry.path();
    }
    return {};
  }

  fs::path folder_;
};

TEST_F(CodeCacheTest, CompilesOnce) {
  const auto cache = CodeCache::open(test_engine(), folder_);
  ASSERT_TRUE(cache);
  EXPECT_EQ(compilations(*cache, 'a'), 1);
  EXPECT_EQ(compilations(*cache, 'a'), 0);
  EXPECT_EQ(compilations(*CodeCache::open(test_engine(), folder_), 'a'), 0);
}

TEST_F(CodeCacheTest, CompilesAnewWhatTheEngineRefuses) {
  const auto cache = CodeCache::open(test_engine(), folder_);
  ASSERT_TRUE(cache);
  compilations(*cache, 'a');
  std::ofstream(file_of('a'), std::ios::trunc) << "no machine code";
  EXPECT_EQ(compilations(*cache, 'a'), 1);
  EXPECT_EQ(compilations(*cache, 'a'), 0);
}

TEST_F(CodeCacheTest, RemovesTheCodeOfOtherEngines) {
  fs::create_directories(folder_ / "another-engine");
  ASSERT_TRUE(CodeCache::open(test_engine(), folder_));
  EXPECT_FALSE(fs::exists(folder_ / "another-engine"));
}

TEST_F(CodeCacheTest, LetsTheLeastRecentlyUsedGo) {
  const auto unbounded = CodeCache::open(test_engine(), folder_);
  ASSERT_TRUE(unbounded);
  compilations(*unbounded, 'a');
  compilations(*unbounded, 'b');
  // One that is used gets the time of its use: here, after the other.
  const auto yesterday = fs::file_time_type::clock::now() - std::chrono::hours(24);
  fs::last_write_time(file_of('a'), yesterday);
  fs::last_write_time(file_of('b'), yesterday);
  compilations(*unbounded, 'a');

  const auto two_files = 2 * fs::file_size(file_of('a'));
  const auto bounded = CodeCache::open(test_engine(), folder_, two_files);
  ASSERT_TRUE(bounded);
  EXPECT_EQ(compilations(*bounded, 'c'), 1);
  EXPECT_TRUE(file_of('b').empty());
  EXPECT_EQ(compilations(*bounded, 'a'), 0);
  EXPECT_EQ(compilations(*bounded, 'c'), 0);
}

}  // namespace
}  // namespace hotswap::wasm
