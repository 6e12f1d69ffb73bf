// For the tests of this folder: a control plane on real SQLite, a real blob folder and a real server, and a fake only
// where the engine would be: WIT goes through the real bridge. node_fixture.h has its nodes.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>

#include "control/app.h"
#include "control/flaky_store.h"
#include "net/client.h"
#include "net/server.h"
#include "sandbox/wasm/interfaces.h"

namespace hotswap::control {

using namespace std::chrono_literals;

inline constexpr auto kPatience = 20s;  // for what must happen at once, on a machine however busy

// (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)) and a custom section that
// holds `salt`, at most 100 bytes, so that there are many such modules.
inline std::string tiny_module(std::string_view salt = "") {
  constexpr char kBytes[] =
      "\0asm\1\0\0\0\1\7\1\x60\2\x7f\x7f\1\x7f\3\2\1\0\7\7\1\3add\0\0\x0a\x09\1\7\0\x20\0\x20\1\x6a\x0b";
  std::string bytes(kBytes, sizeof kBytes - 1);
  bytes += '\0';
  bytes += static_cast<char>(salt.size() + 2);
  bytes += "\1s";
  bytes += salt;
  return bytes;
}

// Another thread may still be inside its last post to a context whose work is done (Asio unlocks, then signals), so the
// contexts of tests live on until the end of the program, also those of threads that are gone.
inline void retire(std::unique_ptr<asio::io_context> context) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<asio::io_context>> contexts;
  const std::lock_guard lock(mutex);
  contexts.push_back(std::move(context));
}

template <class T>
T run(Task<T> task) {
  thread_local asio::io_context& context = [] -> asio::io_context& {
    auto made = std::make_unique<asio::io_context>();
    auto& used = *made;
    retire(std::move(made));
    return used;
  }();
  context.restart();
  std::optional<T> result;
  asio::co_spawn(context, std::move(task), [&](std::exception_ptr thrown, T value) {
    if (thrown) std::rethrow_exception(thrown);
    result = std::move(value);
  });
  context.run_for(2 * kPatience);
  if (!result) throw std::runtime_error("the coroutine did not end in time");
  return *std::move(result);
}
inline void run(Task<void> task) {
  std::ignore = run([](Task<void> inner) -> Task<bool> {
    co_await std::move(inner);
    co_return true;
  }(std::move(task)));
}

// Waits for what each look may change. False after kPatience.
[[nodiscard]] inline bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
  }
  return true;
}

// Where a test may push time on. Thread-safe.
class TestClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return real_.now() + std::chrono::milliseconds(ahead_.load()); }
  [[nodiscard]] SteadyPoint steady() const override {
    return real_.steady() + std::chrono::milliseconds(ahead_.load());
  }
  void advance(std::chrono::milliseconds by) { ahead_ += by.count(); }

 private:
  SystemClock real_;
  std::atomic<std::int64_t> ahead_{0};
};

class FakeInspector final : public Inspector {
 public:
  Result<ModuleDescription> describe(std::string_view bytes) override;
  [[nodiscard]] const EngineOffers& offers() const override { return offers_; }
  compat::WitResult<compat::Wit> parse(const std::vector<compat::WitPackage>& packages) override;
  Result<compat::Wit> decode(std::string_view component) override;
  compat::WitResult<compat::CoreWorld> core_world(const std::vector<compat::WitPackage>& packages,
                                                  std::string_view world) override;
  [[nodiscard]] const std::vector<compat::WasiPackage>& wasi_packages() const override { return wasm::wasi_packages(); }
  [[nodiscard]] const std::vector<compat::CoreInterface>& preview1() const override { return wasm::preview1(); }
  void set(ModuleDescription description);
  // Makes a component for the body of this world, in WIT, whose packages are given beside it; returns its bytes.
  std::string make_component(const std::string& world, const std::vector<std::string>& packages);
  // Of these bytes alone.
  void set(std::string bytes, ModuleDescription description);
  [[nodiscard]] static ModuleDescription adder();

 private:
  std::mutex mutex_;
  ModuleDescription description_ = adder();
  std::map<std::string, ModuleDescription> own_;
  std::map<std::string, compat::Wit> components_;
  EngineOffers offers_{.core = {"wasi_snapshot_preview1#fd_write"}, .component = {"wasi:io/streams@0.2.12"}};
};

struct Reply {
  unsigned status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  [[nodiscard]] std::string header(std::string_view name) const {
    const auto found = std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
    return found == headers.end() ? "" : found->second;
  }
  [[nodiscard]] json::value json() const { return json::parse(body); }
  [[nodiscard]] std::string text(std::string_view pointer) const {
    const auto value = json().at_pointer(pointer);
    return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
  }
  // "field: message" of a problem document.
  [[nodiscard]] std::vector<std::string> errors() const {
    std::vector<std::string> all;
    const auto document = json();
    if (const auto* list = document.as_object().if_contains("errors")) {
      for (const auto& error : list->as_array()) {
        all.push_back(std::string(error.at("field").as_string()) + ": " + std::string(error.at("message").as_string()));
      }
    }
    return all;
  }
};

// One control plane. restart() is a crash: the process's memory is gone, store and blobs stay.
class Platform {
 public:
  explicit Platform(Options options = {});
  ~Platform();
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  void start();
  // As another configuration says from now on.
  void restart(Options options);
  void stop();

  Reply send(net::ClientRequest request);
  Reply send(std::string method, std::string target, std::string body = "", std::string type = "application/json");
  Reply get(std::string target) { return send("GET", std::move(target)); }
  Reply post(std::string target, std::string body = "") { return send("POST", std::move(target), std::move(body)); }

  Reply upload(const std::string& name, const std::string& version, std::optional<std::string> bytes = std::nullopt);
  // Uploads, and creates a deployment to the region "local"; returns its id.
  std::string create(const std::string& name, const std::string& version, json::object more = {});
  Reply verb(const std::string& id, const std::string& name);
  Deployment deployment(const std::string& id);
  Deployment wait(const std::string& id, const std::function<bool(const Deployment&)>& enough);
  Deployment wait_finished(const std::string& id);
  Deployment wait_step(const std::string& id, int step);
  std::vector<Event> events(const std::string& id);
  std::vector<Route> routes() { return *from_json<std::vector<Route>>(get("/api/v1/wasm/routes").json().at("items")); }

  App& app() { return *app_; }
  FlakyStore& store() { return *store_; }
  BlobStore& blobs() { return *blobs_; }
  FakeInspector& inspector() { return inspector_; }
  TestClock& clock() { return clock_; }
  Tracer& tracer() { return tracer_; }
  Metrics& metrics() { return metrics_; }
  net::Server& server() { return *server_; }
  const std::string& folder() { return folder_; }

 private:
  Options options_;
  std::string folder_;
  std::unique_ptr<FlakyStore> store_;
  std::unique_ptr<BlobStore> blobs_;
  FakeInspector inspector_;
  TestClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
  // A pool's thread that has handed its result over may still hold an executor of their contexts, which must therefore
  // outlive the pools.
  std::vector<std::unique_ptr<net::IoThreads>> ended_threads_;
  BlockingPool pool_{"pool", 4};
  BlockingPool cpu_{"cpu", 2};
  std::unique_ptr<net::IoThreads> threads_;
  std::unique_ptr<App> app_;
  std::unique_ptr<net::Router> router_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace hotswap::control
