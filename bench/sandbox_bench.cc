// What isolation costs, in process: setting up WASI for a call, and bounding and metering a fresh call against one that
// nothing bounds, in turn. Prints one JSON object.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <engine.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/limits.h"
#include "in_process.h"
#include "sandbox/wasm/engine.h"
#include "sandbox/wasm/grants.h"
#include "sandbox/wasm/wasm_workload.h"

namespace {

using namespace hotswap;
using namespace hotswap::bench;
namespace json = boost::json;

// A module on an engine of its own, bounded or not.
class Guest {
 public:
  Guest(const std::string& binary, const std::string& function, bool unbounded)
      : engine_(must(wasm::Engine::create({.pool_instances = 16,
                                           .pool_memory_bytes = limits::kPoolMemoryBytes,
                                           .tick = limits::kEpochTick,
                                           .unbounded = unbounded}))),
        code_(must(engine_->compile(binary))),
        image_(must(engine_->link(code_, ENG_LINK_WASI | ENG_LINK_SOCKETS | ENG_LINK_HTTP))),
        function_(must(image_.function(function))) {}

  // Checks the parameters and sets up what `grants` grant; nothing runs yet.
  [[nodiscard]] eng_call* prepare(const wasm::Grants& grants, std::string_view params) const {
    eng_call* call = nullptr;
    eng_error error{};
    const eng_grants granted = grants.get();
    if (!eng_call_function(image_.get(), function_, &granted, wasm::slice(params), 0, &call, &error)) {
      give_up(wasm::to_error(error).detail);
    }
    return call;
  }

  // Runs it to its end, which must be a good one and come without waiting, and frees it.
  static void finish(eng_call* call) {
    const eng_waker nobody{.data = nullptr, .retain = [](void*) {}, .release = [](void*) {}, .wake = [](void*) {}};
    eng_poll poll = eng_call_poll(call, &nobody);
    while (poll == ENG_POLL_YIELDED) poll = eng_call_poll(call, &nobody);
    if (poll != ENG_POLL_DONE || eng_call_result(call).outcome != ENG_OUTCOME_OK) give_up("the guest failed");
    eng_call_free(call);
  }

 private:
  std::unique_ptr<wasm::Engine> engine_;
  wasm::Code code_;
  wasm::Image image_;
  std::uint32_t function_;
};

wasm::Grant plain() { return {.max_memory_bytes = 128 * limits::kMiB, .max_output_bytes = limits::kOutputBytes}; }

// Of each kind of grant more than most modules have.
wasm::Grant rich(const std::filesystem::path& files) {
  constexpr int kVariables = 32;
  constexpr int kDirectories = 4;
  constexpr int kHosts = 8;
  wasm::Grant grant = plain();
  for (int i = 0; i < kVariables; ++i) grant.env.emplace_back(fmt::format("VARIABLE_{}", i), std::string(64, 'x'));
  for (int i = 0; i < kDirectories; ++i) {
    const auto host = files / std::to_string(i);
    std::filesystem::create_directories(host);
    grant.directories.push_back({host.string(), fmt::format("/data/{}", i), true});
  }
  grant.network = wasm::Network::listed;
  for (int i = 0; i < kHosts; ++i) grant.hosts.push_back(fmt::format("host-{}.example.com:443", i));
  return grant;
}

}  // namespace

int main(int argc, char** argv) {
  std::string module;
  std::string component;
  int rounds = 200;
  int batch = 200;
  CLI::App app("What isolation costs");
  app.add_option("--module", module, "Core module with add(i32, i32)")->required();
  app.add_option("--component", component, "Component with environment()")->required();
  app.add_option("--rounds", rounds);
  app.add_option("--batch", batch, "Calls of one kind before the other has its turn");
  CLI11_PARSE(app, argc, argv);

  const auto files = std::filesystem::temp_directory_path() / fmt::format("hotswap-bench-{}", ::getpid());
  const wasm::Grants little(plain());
  const wasm::Grants much(rich(files));

  // A component asks for its environment, so that all of WASI is there.
  const Guest asking(read_file(component), "environment", false);
  std::vector<double> setup;
  std::vector<double> call_with_much;
  std::vector<double> call_with_little;
  for (int i = 0; i < rounds * batch / 4; ++i) {
    auto before = Steady::now();
    eng_call* call = asking.prepare(much, "[]");
    setup.push_back(microseconds(Steady::now() - before));
    Guest::finish(call);
    call_with_much.push_back(microseconds(Steady::now() - before));
    before = Steady::now();
    Guest::finish(asking.prepare(little, "[]"));
    call_with_little.push_back(microseconds(Steady::now() - before));
  }

  const std::string binary = read_file(module);
  const Guest bounded(binary, "add", false);
  const Guest unbounded(binary, "add", true);
  const auto mean = [&](const Guest& guest) {
    const auto before = Steady::now();
    for (int i = 0; i < batch; ++i) Guest::finish(guest.prepare(little, "[2,3]"));
    return microseconds(Steady::now() - before) / batch;
  };
  std::vector<double> with;
  std::vector<double> without;
  std::vector<double> ratios;
  for (int i = 0; i < rounds; ++i) {
    // Who goes first changes.
    double first = mean(i % 2 == 0 ? bounded : unbounded);
    double second = mean(i % 2 == 0 ? unbounded : bounded);
    if (i % 2 != 0) std::swap(first, second);
    with.push_back(first);
    without.push_back(second);
    ratios.push_back(first / second);
  }
  std::ranges::sort(ratios);
  std::filesystem::remove_all(files);
  fmt::print("{}\n", json::serialize(json::object{{"setup", summary(setup)},
                                                  {"callWithMuch", summary(call_with_much)},
                                                  {"callWithLittle", summary(call_with_little)},
                                                  {"bounded", summary(with)},
                                                  {"unbounded", summary(without)},
                                                  {"overheadPercent", 100 * (percentile(ratios, 0.5) - 1)}}));
}
