#include <atomic>
#include <functional>
#include <latch>
#include <set>
#include <thread>

#include "store/store_fixture.h"

namespace hotswap {
namespace {

class ConcurrentUse : public StoreTest {
 protected:
  // Runs `work(i)` in `count` threads that begin together.
  static void together(int count, const std::function<void(int)>& work) {
    std::latch begin(count);
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&begin, &work, i] {
        begin.arrive_and_wait();
        work(i);
      });
    }
  }
};

constexpr int kThreads = 6;
constexpr int kRounds = 10;

TEST_P(ConcurrentUse, SequencesHaveNoGapsAndNoRepeats) {
  const Module module = make_module("x", {1, 0, 0});
  must(store_->add_module(kTenant, module, kKeepAll));
  std::array<std::vector<Event>, kThreads> seen;
  together(kThreads, [&](int thread) {
    for (int round = 0; round < kRounds; ++round) {
      const auto id = std::to_string(thread) + "-" + std::to_string(round);
      DeploymentChange change{kTenant, make_deployment(id, module), 0, {make_event(), make_event()}, {}, {}};
      if (round % 2 == 1) change.putRoutes = {make_route(kTenant, module, "r" + std::to_string(thread))};
      const auto applied = must(store_->apply(change));
      std::ranges::copy(applied.events, std::back_inserter(seen[static_cast<std::size_t>(thread)]));
    }
  });
  std::set<std::int64_t> sequences;
  for (const auto& events : seen) {
    for (const auto& event : events) EXPECT_TRUE(sequences.insert(event.sequence).second);
    EXPECT_TRUE(std::ranges::is_sorted(events, {}, &Event::sequence));
  }
  EXPECT_EQ(sequences.size(), std::size_t{2 * kThreads * kRounds});
  EXPECT_EQ(*sequences.begin(), 1);
  EXPECT_EQ(*sequences.rbegin(), 2 * kThreads * kRounds);
  EXPECT_EQ(must(store_->all_routes()).revision, kThreads * kRounds / 2);
  EXPECT_EQ(must(store_->module(kTenant, module.moduleId)).deploymentCount, kThreads * kRounds);
}

TEST_P(ConcurrentUse, OfTwoChangesFromTheSameRevisionOneWins) {
  const Module module = make_module("x", {1, 0, 0});
  must(store_->add_module(kTenant, module, kKeepAll));
  must(store_->apply({kTenant, make_deployment("d1", module), 0, {make_event()}, {}, {}}));
  for (int round = 1; round <= kRounds; ++round) {
    std::atomic<int> won{0};
    together(2, [&](int) {
      const auto result =
          store_->apply({kTenant, make_deployment("d1", module), round, {make_event(), make_event()}, {}, {}});
      if (result) {
        ++won;
      } else {
        EXPECT_EQ(result.error().kind, ErrorKind::kConflict) << result.error().detail;
      }
    });
    EXPECT_EQ(won, 1);
  }
  EXPECT_EQ(must(store_->events(kTenant, DeploymentId("d1"), 0, 1000)).size(), std::size_t{1 + 2 * kRounds});
}

TEST_P(ConcurrentUse, TheSameUploadByManyIsRegisteredOnce) {
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> created{0};
    together(kThreads, [&](int) {
      const AddedModule added = must(store_->add_module(kTenant, make_module("x", {1, round, 0}), kKeepAll));
      if (!added.existed) ++created;
    });
    EXPECT_EQ(created, 1);
  }
  EXPECT_EQ(must(store_->count_modules()), kRounds);
}

TEST_P(ConcurrentUse, OfTwoContentsUnderOneIdOneWins) {
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> created{0};
    together(2, [&](int thread) {
      const auto result =
          store_->add_module(kTenant, make_module("x", {1, round, 0}, std::to_string(thread)), kKeepAll);
      if (result) {
        ++created;
      } else {
        EXPECT_EQ(result.error().kind, ErrorKind::kConflict) << result.error().detail;
      }
    });
    EXPECT_EQ(created, 1);
  }
}

TEST_P(ConcurrentUse, RetentionHoldsWhileManyRegister) {
  together(kThreads, [&](int thread) {
    for (int round = 0; round < kRounds; ++round) {
      must(store_->add_module(kTenant, make_module("x", {1, thread, round}), 5));
    }
  });
  // Each registration spares itself, so at most one beyond the five may be left.
  const auto left = must(store_->modules(kTenant, {})).items.size();
  EXPECT_GE(left, 5u);
  EXPECT_LE(left, 6u);
}

// A module is either removed, and then no route leads to it, or routed, and then it is there.
TEST_P(ConcurrentUse, AModuleIsNeverRemovedUnderARouteThatIsBeingPut) {
  for (int round = 0; round < kRounds; ++round) {
    const Module module = make_module("x", {1, round, 0});
    must(store_->add_module(kTenant, module, kKeepAll));
    std::atomic<int> won{0};
    together(2, [&](int thread) {
      bool done = false;
      if (thread == 0) {
        DeploymentChange change{
            kTenant, make_deployment(std::to_string(round), module, DeploymentStatus::Completed), 0, {}, {}, {}};
        change.putRoutes = {make_route(kTenant, module, "eu")};
        done = store_->apply(change).has_value();
      } else {
        done = store_->remove_module(kTenant, module.moduleId).has_value();
      }
      if (done) ++won;
    });
    EXPECT_EQ(won, 1);
  }
}

TEST_P(ConcurrentUse, InvocationsOfManyTenantsAddUp) {
  const Module module = make_module("x", {1, 0, 0});
  for (const auto& tenant : {kTenant, kOther}) must(store_->add_module(tenant, module, kKeepAll));
  together(kThreads, [&](int thread) {
    for (int round = 0; round < kRounds; ++round) {
      const auto& first = thread % 2 == 0 ? kTenant : kOther;
      const auto& second = thread % 2 == 0 ? kOther : kTenant;
      must(store_->add_invocations({{first, module.moduleId, 1}, {second, module.moduleId, 1}}));
    }
  });
  EXPECT_EQ(must(store_->module(kTenant, module.moduleId)).invocationCount, kThreads * kRounds);
  EXPECT_EQ(must(store_->module(kOther, module.moduleId)).invocationCount, kThreads * kRounds);
}

TEST_P(ConcurrentUse, MoreCallersThanConnectionsTakeTurns) {
  store_ = open(1);
  together(kThreads, [&](int thread) {
    must(store_->add_module(kTenant, make_module("x", {1, thread, 0}), kKeepAll));
    must(store_->modules(kTenant, {}));
  });
  EXPECT_EQ(must(store_->count_modules()), kThreads);
}

TEST_P(ConcurrentUse, ManyMayOpenAnEmptyStoreAtOnce) {
  const Database empty(GetParam());
  std::array<std::unique_ptr<Store>, 4> stores;
  together(4, [&](int thread) {
    auto store = open_store({empty.url(), 1});
    ASSERT_TRUE(store.has_value()) << store.error().detail;
    stores[static_cast<std::size_t>(thread)] = *std::move(store);
  });
  int version = 0;
  for (const auto& store : stores) {
    ASSERT_NE(store, nullptr);
    must(store->add_module(kTenant, make_module("x", {1, version++, 0}), kKeepAll));
  }
  EXPECT_EQ(must(stores.front()->count_modules()), 4);
}

TEST_P(ConcurrentUse, TwoStoresOnOneDatabaseWriteTogether) {
  const auto second = open(2);
  together(2, [&](int thread) {
    Store& mine = thread == 0 ? *store_ : *second;
    for (int round = 0; round < kRounds; ++round) {
      must(mine.add_module(kTenant, make_module("x", {1, thread, round}), kKeepAll));
    }
  });
  EXPECT_EQ(must(second->count_modules()), 2 * kRounds);
}

HOTSWAP_ON_BOTH_DATABASES(ConcurrentUse);

}  // namespace
}  // namespace hotswap
