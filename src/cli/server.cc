#include "cli/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <sched.h>

#include <algorithm>
#include <future>

#include "base/limits.h"
#include "blobs/blobs.h"
#include "control/app.h"
#include "net/router.h"
#include "node/app.h"
#include "sandbox/wasm/engine.h"
#include "store/store.h"

namespace hotswap::cli {
namespace {

constexpr std::size_t kStoreThreads = 4;

// The processors that this process may use, which a pinned or confined process has fewer of than the machine.
std::size_t usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&set)));
}

class EngineInspector final : public control::Inspector {
 public:
  EngineInspector(const wasm::Engine& engine, EngineOffers offers) : engine_(engine), offers_(std::move(offers)) {}
  Result<ModuleDescription> describe(std::string_view bytes) override {
    HS_TRY(const std::string text, engine_.describe(bytes));
    return from_json_text<ModuleDescription>(text);
  }
  [[nodiscard]] const EngineOffers& offers() const override { return offers_; }

 private:
  const wasm::Engine& engine_;
  EngineOffers offers_;
};

// The node protocol as direct calls.
class LocalLink final : public node::ControlLink {
 public:
  LocalLink(control::App& control, NodeId node, Region region)
      : control_(control), node_(std::move(node)), region_(std::move(region)) {}
  Task<Result<DesiredState>> desired_state(std::int64_t after) override {
    return control_.desired_state(node_, after, region_);
  }
  Task<Result<>> report(NodeReport report) override { return control_.report(std::move(report)); }
  Task<Result<>> fetch(const Digest& digest, std::function<Result<>(std::span<const std::byte>)> sink) override {
    return control_.fetch(digest, std::move(sink));
  }
  Task<Result<>> count_invocations(std::vector<node::InvocationCount> counts) override {
    std::vector<Store::InvocationCount> rows;
    rows.reserve(counts.size());
    for (auto& count : counts) rows.push_back({std::move(count.tenant), std::move(count.moduleId), count.count});
    return control_.count_invocations(std::move(rows));
  }

 private:
  control::App& control_;
  NodeId node_;
  Region region_;
};

// Members in the order of construction; each may use what stands above it.
class Wired final : public LocalServer {
 public:
  explicit Wired(const ServerSettings& settings)
      : threads_(settings.threads == 0 ? usable_processors() : settings.threads),
        sql_("store", kStoreThreads),
        cpu_("compile", usable_processors()) {}

  Result<> open(const ServerSettings& settings) {
    std::error_code code;
    std::filesystem::create_directories(settings.data, code);
    if (code) {
      return fail(ErrorKind::kUnavailable,
                  "cannot create the data folder " + settings.data.string() + ": " + code.message());
    }
    const auto data = std::filesystem::absolute(settings.data);
    HS_TRY(engine_, wasm::Engine::create({.pool_instances = settings.instances,
                                          .pool_memory_bytes = limits::kPoolMemoryBytes,
                                          .tick = limits::kEpochTick,
                                          .wasi03 = settings.wasi03}));
    HS_TRY(EngineOffers offers, from_json_text<EngineOffers>(engine_->offers()));
    inspector_.emplace(*engine_, std::move(offers));
    HS_TRY(store_,
           open_store({.url = settings.store.empty() ? "sqlite://" + (data / "hotswap.db").string() : settings.store,
                       .connections = kStoreThreads}));
    HS_TRY(blobs_, open_folder_blobs((data / "blobs").string()));
    return wire(settings, data);
  }

  Result<> listen(const ServerSettings& settings) {
    HS_CHECK(on_first_thread(control_->start()));
    node_->start();
    running_ = true;
    on_first_thread(node_->serving());
    HS_TRY(const auto gateway, net::parse_endpoint(settings.gateway));
    HS_TRY(gateway_,
           net::Server::start(
               threads_, {.name = "gateway", .listen = gateway},
               [this](net::Exchange& exchange) { return gateway_router_.handle(exchange); }, tracer_, metrics_));
    HS_TRY(const auto api, net::parse_endpoint(settings.api));
    HS_TRY(api_, net::Server::start(
                     threads_, {.name = "api", .listen = api},
                     [this](net::Exchange& exchange) { return api_router_.handle(exchange); }, tracer_, metrics_));
    return {};
  }

  // A server that failed to start is stopped here, as far as it came.
  ~Wired() override {
    stop();
    threads_.stop();
  }

  [[nodiscard]] std::string api_url() const override { return api_->url(); }
  [[nodiscard]] std::string gateway_url() const override { return gateway_->url(); }

  std::size_t stop() override {
    std::size_t cut = 0;
    std::vector<std::future<std::size_t>> draining;
    for (auto* server : {&gateway_, &api_}) {
      if (*server) {
        draining.push_back(asio::co_spawn(threads_.at(0), (*server)->drain(limits::kDrain), asio::use_future));
      }
    }
    for (auto& drained : draining) cut += drained.get();
    if (std::exchange(running_, false)) {
      on_first_thread(node_->stop());
      on_first_thread(control_->stop());
    }
    // Destroying the servers cancels the handlers that were cut; they unwind on their threads before these stop.
    gateway_.reset();
    api_.reset();
    for (std::size_t i = 0; i < threads_.size(); ++i) asio::post(threads_.at(i), asio::use_future).get();
    return cut;
  }

 private:
  Result<> wire(const ServerSettings& settings, const std::filesystem::path& data) {
    const NodeId node(settings.node);
    const Region region(settings.region);
    control::Options options;
    options.wasi03 = settings.wasi03;
    options.regions = {{region, *enum_from_name<control::Environment>(settings.environment)}};
    control_.emplace(threads_.at(0).get_executor(), std::move(options),
                     control::Parts{.store = *store_,
                                    .blobs = *blobs_,
                                    .inspector = *inspector_,
                                    .pool = sql_,
                                    .cpu = cpu_,
                                    .clock = clock_,
                                    .random = random_,
                                    .tracer = tracer_,
                                    .metrics = metrics_});
    link_.emplace(*control_, node, region);
    HS_TRY(node_,
           node::App::create({.node = node,
                              .region = region,
                              .data = data,
                              .policy = {.max_output_bytes = limits::kOutputBytes, .cpu_window = limits::kCpuWindow}},
                             {.threads = threads_,
                              .engine = *engine_,
                              .control = *link_,
                              .cpu = cpu_,
                              .clock = clock_,
                              .tracer = tracer_,
                              .metrics = metrics_}));
    const auto execute = [this](net::Exchange& exchange) {
      return node_->gateway().execute(exchange, local_principal_);
    };
    control_->mount(api_router_);
    api_router_.add("POST /api/v1/wasm/execute", execute);
    gateway_router_.add("POST /api/v1/wasm/execute", execute);
    gateway_router_.set_fallback([this](net::Exchange& exchange) { return node_->gateway().serve(exchange); });
    return {};
  }

  template <class T>
  T on_first_thread(Task<T> task) {
    return asio::co_spawn(threads_.at(0), std::move(task), asio::use_future).get();
  }

  SystemClock clock_;
  SystemRandom random_;
  Tracer tracer_{clock_, random_};
  Metrics metrics_;
  const Principal local_principal_ = default_principal();
  net::IoThreads threads_;
  BlockingPool sql_;
  BlockingPool cpu_;
  std::unique_ptr<wasm::Engine> engine_;
  std::optional<EngineInspector> inspector_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<BlobStore> blobs_;
  std::optional<control::App> control_;
  std::optional<LocalLink> link_;
  std::unique_ptr<node::App> node_;
  net::Router api_router_;
  net::Router gateway_router_;
  std::unique_ptr<net::Server> gateway_;
  std::unique_ptr<net::Server> api_;
  bool running_ = false;  // node and control, until stop()
};

}  // namespace

Result<std::unique_ptr<LocalServer>> LocalServer::start(const ServerSettings& settings) {
  auto server = std::make_unique<Wired>(settings);
  HS_CHECK(server->open(settings));
  HS_CHECK(server->listen(settings));
  return server;
}

}  // namespace hotswap::cli
