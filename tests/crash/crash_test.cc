#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>

#include "victim.h"

namespace hotswap::crash {
namespace {

namespace fs = std::filesystem;

constexpr int kKills = 30;
constexpr int kNumbersPerRound = 100'000;

// HOTSWAP_CRASH_SEED repeats a run that failed.
unsigned seed() {
  const char* given = std::getenv("HOTSWAP_CRASH_SEED");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
}

struct Acknowledged {
  std::set<int> modules;
  std::set<int> deployments;
};

class KilledWhileRegistering : public testing::Test {
 protected:
  KilledWhileRegistering() {
    std::string name = (fs::temp_directory_path() / "hotswap-crash-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~KilledWhileRegistering() override { fs::remove_all(folder_); }

  // Starts a victim, kills it some microseconds after its `lines`-th acknowledgement, and notes all that it
  // acknowledged before it died.
  void run_and_kill(int first_number, int lines, useconds_t then) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const std::string first = std::to_string(first_number);
    const pid_t child = fork();
    if (child == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      execl("/proc/self/exe", "victim", "--victim", folder_.c_str(), first.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    bool killed = false;
    const auto kill_now = [&] {
      usleep(then);  // not a wait for anything: the random point of the kill
      kill(child, SIGKILL);
      killed = true;
    };
    if (lines == 0) kill_now();
    std::string line;
    int seen = 0;
    for (char c = 0; read(ends[0], &c, 1) == 1;) {
      if (c != '\n') {
        line += c;
        continue;
      }
      note(line);
      line.clear();
      if (++seen >= lines && !killed) kill_now();
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the victim failed by itself: " << status;
  }

  void note(const std::string& line) {
    const int number = std::stoi(line.substr(1));
    (line.front() == 'M' ? acknowledged_.modules : acknowledged_.deployments).insert(number);
  }

  // What was acknowledged is there, whole.
  void check_acknowledged(const Storage& storage, int from) {
    for (auto number = acknowledged_.modules.lower_bound(from); number != acknowledged_.modules.end(); ++number) {
      const auto module = storage.store->module(kTenant, module_of(*number));
      ASSERT_TRUE(module.has_value()) << "lost module " << *number;
      const auto content = storage.blobs->get(module->checksum);
      ASSERT_TRUE(content.has_value()) << content.error().detail;
      EXPECT_EQ(*content, binary(*number));
    }
    for (auto number = acknowledged_.deployments.lower_bound(from); number != acknowledged_.deployments.end();
         ++number) {
      const auto events = storage.store->events(kTenant, deployment_of(*number), 0, 10);
      ASSERT_TRUE(events.has_value()) << "lost deployment " << *number;
      EXPECT_EQ(events->size(), kEventsPerDeployment);
    }
  }

  // What is visible is whole, acknowledged or not. Returns the digests that rows name.
  std::set<Digest> check_modules(const Storage& storage) {
    std::set<Digest> digests;
    ModuleQuery query{.limit = 100};
    do {
      const auto page = storage.store->modules(kTenant, query);
      if (!page) {
        ADD_FAILURE() << page.error().detail;
        break;
      }
      for (const auto& module : page->items) {
        EXPECT_TRUE(storage.blobs->get(module.checksum).has_value()) << module.moduleId.str() << " has no binary";
        digests.insert(module.checksum);
      }
      query.cursor = page->nextCursor;
    } while (query.cursor);
    return digests;
  }

  void check_deployments(const Storage& storage) {
    std::set<std::int64_t> sequences;
    std::int64_t deployments = 0;
    DeploymentQuery query{.limit = 100};
    do {
      const auto page = storage.store->deployments(kTenant, query);
      ASSERT_TRUE(page.has_value());
      for (const auto& deployment : page->items) {
        ++deployments;
        const auto events = storage.store->events(kTenant, deployment.deploymentId, 0, 10);
        ASSERT_TRUE(events.has_value());
        EXPECT_EQ(events->size(), kEventsPerDeployment);
        for (const auto& event : *events) EXPECT_TRUE(sequences.insert(event.sequence).second);
      }
      query.cursor = page->nextCursor;
    } while (query.cursor);
    ASSERT_FALSE(sequences.empty());
    EXPECT_EQ(*sequences.begin(), 1);
    EXPECT_EQ(*sequences.rbegin(), static_cast<std::int64_t>(sequences.size()));
    const auto routes = storage.store->all_routes();
    ASSERT_TRUE(routes.has_value());
    EXPECT_EQ(routes->revision, deployments);  // each of them put one route
    for (const auto& route : routes->routes) {
      EXPECT_TRUE(storage.store->module(kTenant, route.versions.front().moduleId).has_value());
    }
  }

  std::string folder_;
  Acknowledged acknowledged_;
};

TEST_F(KilledWhileRegistering, LosesNothingAcknowledgedAndLeavesNothingHalfVisible) {
  const unsigned used_seed = seed();
  SCOPED_TRACE("HOTSWAP_CRASH_SEED=" + std::to_string(used_seed));
  std::mt19937 random(used_seed);
  for (int round = 0; round < kKills; ++round) {
    const int first = round * kNumbersPerRound;
    // A few die while they open the storage; for the first one that is while it makes the schema.
    const int lines = round % 6 == 0 ? 0 : static_cast<int>(random() % 12);
    run_and_kill(first, lines, random() % (lines == 0 ? 30'000 : 8'000));
    if (HasFatalFailure()) return;
    const Storage storage = open_storage(folder_);
    EXPECT_TRUE(fs::is_empty(folder_ + "/blobs/tmp"));
    check_acknowledged(storage, first);
    if (HasFatalFailure()) return;
  }
  ASSERT_GT(acknowledged_.modules.size(), std::size_t{kKills});
  const Storage storage = open_storage(folder_);
  check_acknowledged(storage, 0);
  const std::set<Digest> named = check_modules(storage);
  check_deployments(storage);

  // Content whose row was never written may be left; nothing else, and it can be told.
  std::size_t orphans = 0;
  for (const auto& digest : storage.blobs->list().value()) {
    if (storage.store->digest_in_use(digest).value()) continue;
    ++orphans;
    EXPECT_FALSE(named.contains(digest));
    EXPECT_TRUE(storage.blobs->remove(digest).has_value());
  }
  EXPECT_LE(orphans, std::size_t{kKills});
  EXPECT_EQ(storage.blobs->list().value().size(), named.size());
  RecordProperty("acknowledged_modules", static_cast<int>(acknowledged_.modules.size()));
  RecordProperty("orphans", static_cast<int>(orphans));
}

}  // namespace
}  // namespace hotswap::crash

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "--victim") hotswap::crash::run_victim(argv[2], std::atoi(argv[3]));
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
