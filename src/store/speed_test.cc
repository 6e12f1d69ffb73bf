#include <chrono>

#include "store/store_fixture.h"

namespace hotswap {
namespace {

class StoreSpeed : public StoreTest {
 protected:
  // Records how long `work` took, for whoever reads the test's report, and returns it in seconds.
  template <class F>
  double timed(const std::string& what, F work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    RecordProperty(what + "_seconds", std::to_string(seconds));
    return seconds;
  }
};

constexpr int kModules = 1000;

// What a control plane reads when it starts with 1,000 modules, all of them routed.
TEST_P(StoreSpeed, AThousandRoutedModulesAreReadInLessThanASecond) {
  std::vector<Module> modules;
  for (int i = 0; i < kModules; ++i) {
    Module module = make_module("module-" + std::to_string(i), {1, 0, 0});
    module.description = "a description of ordinary length that says what this module is good for";
    module.requiredInterfaces = {"wasi:cli/environment@0.2.0", "wasi:http/types@0.2.0", "wasi:io/streams@0.2.0"};
    module.exportedFunctions = {"add", "greet", "wasi:http/incoming-handler@0.2.0#handle"};
    module.metadata = {{"commit", "0123456789abcdef"}, {"builtAt", "2026-11-21T08:03:42.123Z"}};
    modules.push_back(std::move(module));
  }
  timed("add_1000_modules", [&] {
    for (const auto& module : modules) must(store_->add_module(kTenant, module, 5));
  });
  DeploymentChange change{kTenant, make_deployment("d", modules.front()), 0, {make_event()}, {}, {}};
  for (const auto& module : modules) change.putRoutes.push_back(make_route(kTenant, module, "local"));
  timed("put_1000_routes", [&] { must(store_->apply(change)); });
  store_ = open();
  const double start = timed("read_at_start", [&] {
    EXPECT_EQ(must(store_->all_referenced_modules()).size(), std::size_t{kModules});
    EXPECT_EQ(must(store_->all_routes()).routes.size(), std::size_t{kModules});
  });
  EXPECT_LT(start, 1);
  const double listing = timed("list_1000_modules", [&] {
    EXPECT_EQ(must(store_->modules(kTenant, {.limit = kModules})).items.size(), std::size_t{kModules});
  });
  EXPECT_LT(listing, 1);
}

HOTSWAP_ON_BOTH_DATABASES(StoreSpeed);

}  // namespace
}  // namespace hotswap
