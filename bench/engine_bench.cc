// The engine's own lines of the benchmark, in process: loading compiled code up to its first call, and validating a
// module. Prints one JSON object.
#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <optional>

#include "base/limits.h"
#include "in_process.h"
#include "sandbox/wasm/code_cache.h"
#include "sandbox/wasm/wasm_workload.h"

namespace {

using namespace hotswap;
using namespace hotswap::bench;
namespace json = boost::json;

void call_once(wasm::WasmWorkload& workload, const std::string& function, const std::string& params) {
  asio::io_context io;
  std::optional<Result<CallOutcome>> result;
  asio::co_spawn(io, workload.invoke({.function = function, .params = params}, nullptr),
                 [&](const std::exception_ptr& error, Result<CallOutcome> outcome) {
                   if (error) std::rethrow_exception(error);
                   result = std::move(outcome);
                   io.stop();  // a timer of the work aside may be left
                 });
  io.run();
  const auto outcome = must(std::move(*result));
  if (outcome.failure) give_up("the guest failed: " + outcome.message);
}

}  // namespace

int main(int argc, char** argv) {
  std::string call_file;
  std::string validate_file;
  std::string function = "add";
  std::string params = "[2,3]";
  int rounds = 500;
  CLI::App app("Engine figures in process");
  app.add_option("--call", call_file, "Module to load and call")->required();
  app.add_option("--function", function);
  app.add_option("--params", params);
  app.add_option("--validate", validate_file, "Module to validate")->required();
  app.add_option("--rounds", rounds);
  CLI11_PARSE(app, argc, argv);

  const auto engine = must(wasm::Engine::create({.pool_instances = limits::kPoolInstances,
                                                 .pool_memory_bytes = limits::kPoolMemoryBytes,
                                                 .tick = limits::kEpochTick}));
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("hotswap-bench-{}", ::getpid());
  const auto cache = must(wasm::CodeCache::open(*engine, folder));
  const std::string binary = read_file(call_file);
  const Digest digest = Sha256::of(binary);
  must(cache.get(digest, [&]() -> Result<std::string> { return binary; }));

  wasm::Aside aside(1);
  const auto load = measure(rounds, [&] {
    const auto code = must(cache.get(digest, [&]() -> Result<std::string> { return binary; }));
    wasm::WasmWorkload workload(must(engine->link(code, ENG_LINK_WASI | ENG_LINK_SOCKETS | ENG_LINK_HTTP)),
                                {.max_memory_bytes = 128 * limits::kMiB, .max_output_bytes = limits::kOutputBytes},
                                {.wall = std::chrono::seconds(30), .cpu_percent = 50, .cpu_window = limits::kCpuWindow},
                                100, false, aside);
    call_once(workload, function, params);
  });
  const std::string big = read_file(validate_file);
  auto validate = measure(rounds, [&] { (void)must(engine->describe(big)); });
  validate["bytes"] = big.size();
  std::filesystem::remove_all(folder);
  fmt::print("{}\n", json::serialize(json::object{{"load", load}, {"validate", validate}}));
}
