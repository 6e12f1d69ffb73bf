// For the tests of this folder: a control plane on real SQLite, a real blob folder and a real server; a node that
// speaks the node protocol; and a fake only where the engine would be: WIT goes through the real bridge.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "control/app.h"
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
  Result<ModuleDescription> describe(std::string_view bytes) override {
    if (!bytes.starts_with(std::string_view("\0asm", 4))) {
      return fail(ErrorKind::kInvalid, "magic header not detected: bad magic number (at offset 0x0)");
    }
    const std::lock_guard lock(mutex_);
    const auto own = own_.find(std::string(bytes));
    return own == own_.end() ? description_ : own->second;
  }
  [[nodiscard]] const EngineOffers& offers() const override { return offers_; }
  compat::WitResult<compat::Wit> parse(const std::vector<compat::WitPackage>& packages) override {
    return wasm::parse_wit(packages);
  }
  Result<compat::Wit> decode(std::string_view component) override { return wasm::decode_wit(component); }
  compat::WitResult<compat::CoreWorld> core_world(const std::vector<compat::WitPackage>& packages,
                                                  std::string_view world) override {
    return wasm::core_world(packages, world);
  }
  [[nodiscard]] const std::vector<compat::WasiPackage>& wasi_packages() const override { return wasm::wasi_packages(); }
  [[nodiscard]] const std::vector<compat::CoreInterface>& preview1() const override { return wasm::preview1(); }
  void set(ModuleDescription description) {
    const std::lock_guard lock(mutex_);
    description_ = std::move(description);
  }
  // Of these bytes alone.
  void set(std::string bytes, ModuleDescription description) {
    const std::lock_guard lock(mutex_);
    own_.insert_or_assign(std::move(bytes), std::move(description));
  }
  [[nodiscard]] static ModuleDescription adder() {
    ModuleDescription description;
    description.kind = "core";
    description.wasi = "none";
    description.exports.push_back({"add", "func", {{std::nullopt, "i32"}, {std::nullopt, "i32"}}, {"i32"}});
    return description;
  }

 private:
  std::mutex mutex_;
  ModuleDescription description_ = adder();
  std::map<std::string, ModuleDescription> own_;
  EngineOffers offers_{.core = {"wasi_snapshot_preview1#fd_write"}, .component = {"wasi:io/streams@0.2.12"}};
};

// Stands between the control plane and the store, and breaks the connection at the moments that a test chooses.
class FlakyStore final : public Store {
 public:
  explicit FlakyStore(std::unique_ptr<Store> store) : store_(std::move(store)) {}
  enum class Fault { none, lose_change, lose_answer };
  // Of the next change.
  void break_next(Fault fault) { fault_ = fault; }

  Result<AddedModule> add_module(const TenantId& tenant, const Module& module, std::size_t keep) override {
    return store_->add_module(tenant, module, keep);
  }
  Result<Module> module(const TenantId& tenant, const ModuleId& id) override { return store_->module(tenant, id); }
  Result<Page<Module>> modules(const TenantId& tenant, const ModuleQuery& query) override {
    return store_->modules(tenant, query);
  }
  Result<Module> update_module(const TenantId& tenant, const ModuleId& id, const ModulePatch& patch,
                               TimePoint now) override {
    return store_->update_module(tenant, id, patch, now);
  }
  Result<Module> remove_module(const TenantId& tenant, const ModuleId& id) override {
    return store_->remove_module(tenant, id);
  }
  Result<std::int64_t> count_modules() override { return store_->count_modules(); }
  Result<bool> digest_in_use(const Digest& digest) override { return store_->digest_in_use(digest); }
  Result<> add_invocations(const std::vector<InvocationCount>& counts) override {
    return store_->add_invocations(counts);
  }
  Result<std::vector<TenantModule>> all_referenced_modules() override { return store_->all_referenced_modules(); }
  Result<AppliedChange> apply(const DeploymentChange& change) override {
    const Fault fault = fault_.exchange(Fault::none);
    if (fault == Fault::lose_change) return fail(ErrorKind::kUnavailable, "connection lost");
    auto applied = store_->apply(change);
    if (fault == Fault::lose_answer) return fail(ErrorKind::kUnavailable, "connection lost");
    return applied;
  }
  Result<TenantDeployment> deployment(const TenantId& tenant, const DeploymentId& id) override {
    return store_->deployment(tenant, id);
  }
  Result<Page<Deployment>> deployments(const TenantId& tenant, const DeploymentQuery& query) override {
    return store_->deployments(tenant, query);
  }
  Result<std::vector<TenantDeployment>> all_unfinished_deployments() override {
    return store_->all_unfinished_deployments();
  }
  Result<std::int64_t> count_deployments_since(TimePoint since) override {
    return store_->count_deployments_since(since);
  }
  Result<std::vector<Event>> events(const TenantId& tenant, const DeploymentId& id, std::int64_t after,
                                    std::size_t limit) override {
    return store_->events(tenant, id, after, limit);
  }
  Result<Routes> all_routes() override { return store_->all_routes(); }
  Result<> put_node(const NodeRecord& node) override { return store_->put_node(node); }
  Result<> remove_node(const NodeId& id) override { return store_->remove_node(id); }
  Result<std::vector<NodeRecord>> all_nodes() override { return store_->all_nodes(); }
  Result<> put_join_token(const JoinToken& token, const std::optional<Digest>& secret) override {
    return store_->put_join_token(token, secret);
  }
  Result<std::optional<JoinToken>> join_token_by_secret(const Digest& secret) override {
    return store_->join_token_by_secret(secret);
  }
  Result<JoinToken> join_token(const std::string& id) override { return store_->join_token(id); }
  Result<std::vector<JoinToken>> join_tokens() override { return store_->join_tokens(); }
  Result<std::int64_t> add_scaling_event(const ScalingEvent& event, bool tell) override {
    if (fault_.exchange(Fault::none) == Fault::lose_change) return fail(ErrorKind::kUnavailable, "connection lost");
    return store_->add_scaling_event(event, tell);
  }
  Result<Page<ScalingEvent>> scaling_events(const ScalingQuery& query) override {
    return store_->scaling_events(query);
  }
  Result<std::optional<ScalingEvent>> untold_scaling_event() override { return store_->untold_scaling_event(); }
  Result<> scaling_event_told(std::int64_t sequence) override { return store_->scaling_event_told(sequence); }
  Result<AddedInterface> add_interface(const TenantId& tenant, const WasiInterface& interface) override {
    return store_->add_interface(tenant, interface);
  }
  Result<StoredInterface> interface(const TenantId& tenant, const InterfaceId& id) override {
    return store_->interface(tenant, id);
  }
  Result<Page<WasiInterface>> interfaces(const TenantId& tenant, const InterfaceQuery& query) override {
    return store_->interfaces(tenant, query);
  }
  Result<std::vector<WasiInterface>> all_interfaces(const TenantId& tenant) override {
    return store_->all_interfaces(tenant);
  }
  Result<> change_interface(const TenantId& tenant, const StoredInterface& changed) override {
    return store_->change_interface(tenant, changed);
  }
  Result<> put_platform_interfaces(const std::vector<WasiInterface>& interfaces) override {
    return store_->put_platform_interfaces(interfaces);
  }
  Result<> ping() override { return store_->ping(); }

 private:
  std::unique_ptr<Store> store_;
  std::atomic<Fault> fault_{Fault::none};
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
  explicit Platform(Options options = {}) : options_(std::move(options)) {
    std::string pattern = (std::filesystem::temp_directory_path() / "hotswap-control-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    store_ = std::make_unique<FlakyStore>(*open_store({.url = "sqlite:///" + folder_ + "/hotswap.db"}));
    blobs_ = *open_folder_blobs(folder_ + "/blobs");
    start();
  }
  ~Platform() {
    stop();
    blobs_.reset();
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  void start() {
    threads_ = std::make_unique<net::IoThreads>(2);
    app_ = std::make_unique<App>(threads_->at(0).get_executor(), options_,
                                 Parts{.store = *store_,
                                       .blobs = *blobs_,
                                       .inspector = inspector_,
                                       .pool = pool_,
                                       .cpu = cpu_,
                                       .clock = clock_,
                                       .random = random_,
                                       .tracer = tracer_,
                                       .metrics = metrics_});
    const auto started = run(app_->start());
    if (!started) throw std::runtime_error(started.error().detail);
    router_ = std::make_unique<net::Router>();
    app_->mount(*router_);
    net::ServerOptions listen;
    listen.name = "api";
    listen.listen = *net::parse_endpoint("127.0.0.1:0");
    server_ = *net::Server::start(
        *threads_, std::move(listen), [this](net::Exchange& exchange) { return router_->handle(exchange); }, tracer_,
        metrics_);
  }
  // As another configuration says from now on.
  void restart(Options options) {
    stop();
    options_ = std::move(options);
    start();
  }
  void stop() {
    if (!app_) return;
    run(app_->stop());
    server_.reset();
    threads_->stop();
    router_.reset();
    app_.reset();
    ended_threads_.push_back(std::move(threads_));
  }

  Reply send(net::ClientRequest request) {
    const auto exchange = [](std::string url, net::ClientRequest sent) -> Task<Result<net::ClientResponse>> {
      auto client = net::Client::create(co_await asio::this_coro::executor, url);
      co_return co_await (*client)->send(std::move(sent));
    };
    auto response = run(exchange(server_->url(), std::move(request)));
    if (!response) return {.status = 0, .body = response.error().detail, .headers = {}};
    return {.status = response->status, .body = std::move(response->body), .headers = std::move(response->headers)};
  }
  Reply send(std::string method, std::string target, std::string body = "", std::string type = "application/json") {
    net::ClientRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    if (!body.empty() || type != "application/json") request.headers.emplace_back("Content-Type", std::move(type));
    request.body = std::move(body);
    return send(std::move(request));
  }
  Reply get(std::string target) { return send("GET", std::move(target)); }
  Reply post(std::string target, std::string body = "") { return send("POST", std::move(target), std::move(body)); }

  Reply upload(const std::string& name, const std::string& version, std::optional<std::string> bytes = std::nullopt) {
    return send("POST", "/api/v1/wasm/modules?name=" + name + "&version=" + version,
                bytes.value_or(tiny_module(name + version)), "application/wasm");
  }
  // Uploads, and creates a deployment to the region "local"; returns its id.
  std::string create(const std::string& name, const std::string& version, json::object more = {}) {
    EXPECT_EQ(upload(name, version).status / 100, 2U);
    more["moduleId"] = name + "-v" + version;
    if (!more.contains("targetRegions")) more["targetRegions"] = json::array{"local"};
    const Reply reply = post("/api/v1/wasm/deployments", json::serialize(more));
    EXPECT_EQ(reply.status, 201U) << reply.body;
    return reply.text("/deploymentId");
  }
  Reply verb(const std::string& id, const std::string& name) {
    return post("/api/v1/wasm/deployments/" + id + "/" + name);
  }
  Deployment deployment(const std::string& id) {
    return *from_json_text<Deployment>(get("/api/v1/wasm/deployments/" + id).body);
  }
  Deployment wait(const std::string& id, const std::function<bool(const Deployment&)>& enough) {
    Deployment now;
    EXPECT_TRUE(eventually([&] {
      now = deployment(id);
      return enough(now);
    }));
    return now;
  }
  Deployment wait_finished(const std::string& id) {
    return wait(id, [](const Deployment& now) { return finished(now.status); });
  }
  Deployment wait_step(const std::string& id, int step) {
    return wait(id, [step](const Deployment& now) { return now.step >= step || finished(now.status); });
  }
  std::vector<Event> events(const std::string& id) {
    const auto list = get("/api/v1/wasm/deployments/" + id + "/events").json();
    return *from_json<std::vector<Event>>(list.at("items"));
  }
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

// How a TestNode takes what it is told.
struct Conduct {
  bool makes_ready = true;  // otherwise versions stay in Compiling
  bool routes = true;       // otherwise it never reports newer routes
  std::string fails = {};   // reason with which every new version fails
  std::string ill = {};     // how every later health check fails
  bool checks = true;       // otherwise it never runs a health check again
  bool leaves = false;      // says so
};

// Does what a node does, on a thread of its own: polls, makes versions ready, routes, reports. Checks that it is never
// told to route to a version that it has not reported ready before.
class TestNode {
 public:
  TestNode(Platform& platform, std::string id, std::string region = "local", Conduct conduct = {})
      : id_(std::move(id)), region_(std::move(region)), conduct_(std::move(conduct)) {
    connect(platform);
  }
  ~TestNode() { disconnect(); }
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  // Keeps what it has. The control plane knows the node when this returns.
  void connect(Platform& platform) {
    disconnect();
    app_ = &platform.app();
    context_ = std::make_unique<asio::io_context>();
    asio::co_spawn(*context_, follow(), asio::bind_cancellation_slot(cancel_.slot(), [](std::exception_ptr) {}));
    known_ = std::promise<void>();
    thread_ = std::jthread([this] { context_->run(); });
    known_.get_future().wait();
  }
  void disconnect() {
    if (!context_) return;
    asio::post(*context_, [this] { cancel_.emit(asio::cancellation_type::terminal); });
    thread_.join();
    retire(std::move(context_));
  }
  // Changes its conduct and reports accordingly.
  void behave(Conduct conduct) {
    asio::co_spawn(*context_, adopt(std::move(conduct)), [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  }

  // The same; the control plane has answered the report when this returns.
  void report_as(Conduct conduct) { asio::co_spawn(*context_, adopt(std::move(conduct)), asio::use_future).get(); }

  [[nodiscard]] bool wait(const std::function<bool(const DesiredState&)>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return condition(state_); });
  }
  [[nodiscard]] DesiredState state() {
    const std::lock_guard lock(mutex_);
    return state_;
  }
  [[nodiscard]] bool serves(const std::string& module_id) {
    for (const auto& route : state().routes) {
      for (const auto& version : route.versions) {
        if (version.moduleId.str() == module_id) return true;
      }
    }
    return false;
  }
  // By the reply to its last report.
  [[nodiscard]] bool may_leave() const { return may_leave_; }
  [[nodiscard]] int unready_routes() const { return unready_routes_; }
  [[nodiscard]] int backward_revisions() const { return backward_revisions_; }

 private:
  Task<void> follow() {
    std::ignore = co_await report();
    known_.set_value();
    while ((co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) {
      auto desired = co_await app_->desired_state(NodeId(id_), state_.revision, Region(region_));
      if (!desired) co_return;
      if (desired->revision == state_.revision) continue;
      take(*std::move(desired));
      const auto sent = co_await report();
      if (!sent) co_return;
    }
  }
  void take(DesiredState desired) {
    const std::lock_guard lock(mutex_);
    if (desired.revision < state_.revision) ++backward_revisions_;
    for (const auto& route : desired.routes) {
      for (const auto& version : route.versions) {
        if (!ready_.contains(version.moduleId.str())) ++unready_routes_;
      }
    }
    state_ = std::move(desired);
    std::erase_if(ready_, [this](const std::string& id) {
      return std::ranges::none_of(state_.versions, [&](const auto& version) { return version.moduleId.str() == id; });
    });
    changed_.notify_all();
  }
  Task<Result<>> report() {
    NodeReport report{.nodeId = NodeId(id_), .region = Region(region_), .routedRevision = routed_, .versions = {}};
    report.knownRevision = state_.revision;
    report.leaving = conduct_.leaves;
    report.forwardKey = "key of " + id_;
    if (conduct_.routes) report.routedRevision = routed_ = state_.revision;
    for (const auto& version : state_.versions) {
      VersionReport row{
          .tenant = version.tenant, .moduleId = version.moduleId, .state = VersionState::Compiling, .reason = {}};
      if (ready_.contains(version.moduleId.str())) {
        row.state = VersionState::Ready;
      } else if (!conduct_.fails.empty()) {
        row.state = VersionState::Failed;
        row.reason = conduct_.fails;
      } else if (conduct_.makes_ready) {
        row.state = VersionState::Ready;
        ready_.insert(version.moduleId.str());
        checked_[version.moduleId.str()] = {version.checkNumber, ""};
      }
      if (row.state == VersionState::Ready) {
        auto& [number, failure] = checked_[version.moduleId.str()];
        if (conduct_.checks && version.checkNumber != 0 && version.checkNumber != number) {
          number = version.checkNumber;
          failure = conduct_.ill;
        }
        row.checkNumber = number;
        row.checkFailure = failure;
      }
      report.versions.push_back(std::move(row));
    }
    HS_CO_TRY(const ReportReply reply, co_await app_->report(std::move(report)));
    may_leave_ = reply.mayLeave;
    co_return Result<>{};
  }
  Task<void> adopt(Conduct conduct) {
    conduct_ = std::move(conduct);
    std::ignore = co_await report();
  }

  const std::string id_;
  const std::string region_;
  Conduct conduct_;
  App* app_ = nullptr;
  std::unique_ptr<asio::io_context> context_;
  asio::cancellation_signal cancel_;
  std::jthread thread_;
  std::promise<void> known_;
  std::mutex mutex_;
  std::condition_variable changed_;
  DesiredState state_;
  std::set<std::string> ready_;
  std::map<std::string, std::pair<std::int64_t, std::string>> checked_;  // number and failure of the last check
  std::int64_t routed_ = 0;
  std::atomic<bool> may_leave_{false};
  std::atomic<int> unready_routes_{0};
  std::atomic<int> backward_revisions_{0};
};

}  // namespace hotswap::control
