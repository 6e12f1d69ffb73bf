// `hotswap control`: a control plane whose nodes are other processes.
#include "cli/server_parts.h"
#include "forward/forwarder.h"
#include "model/principal.h"

namespace hotswap::cli {
namespace {

// The engine only describes modules here; nothing is instantiated.
constexpr std::uint32_t kDescribingInstances = 1;

class SeparateControl final : public ControlServer {
 public:
  explicit SeparateControl(const CommonSettings& common) : ground_(common) {}

  Result<> start(const CommonSettings& common, const ControlSettings& control,
                 std::function<void(const ScalingEvent&)> on_scaling) {
    HS_CHECK(ground_.open(common, kDescribingInstances));
    HS_CHECK(control_.open(ground_, common, control, std::move(on_scaling)));
    forwarder_.emplace(ground_.threads, ground_.clock, ground_.random, ground_.metrics);
    control_.app->mount(router_);
    router_.add("POST /api/v1/wasm/execute", [this](net::Exchange& exchange) { return execute(exchange); });
    HS_CHECK(ground_.on_first_thread(control_.app->start()));
    running_ = true;
    HS_TRY(api_, ground_.listen("api", control.api, router_));
    return {};
  }

  ~SeparateControl() override {
    stop();
    ground_.threads.stop();
  }

  [[nodiscard]] std::string api_url() const override { return api_->url(); }
  [[nodiscard]] std::string gateway_url() const override { return {}; }

  Result<std::string> join_token(std::string description, std::chrono::seconds life) override {
    return ground_.on_first_thread(control_.app->create_join_token(
        {.description = std::move(description), .region = {}, .expiresInSeconds = life.count()}));
  }

  Task<Result<>> retire(NodeId node) override { return control_.app->retire(std::move(node)); }
  Task<Result<>> remove(NodeId node) override { return control_.app->remove(std::move(node)); }
  Result<> enable(NodeId node) override { return ground_.on_first_thread(control_.app->enable(std::move(node))); }

  std::size_t stop() override {
    // Polls of nodes end with the control plane, before the server waits for what is in flight.
    if (std::exchange(running_, false)) ground_.on_first_thread(control_.app->stop());
    const std::size_t cut = ground_.drain({api_.get()});
    api_.reset();
    ground_.settle();
    return cut;
  }

 private:
  Task<void> execute(net::Exchange& exchange) {
    const auto done = co_await send_on(exchange);
    if (!done && !exchange.replied()) std::ignore = co_await net::reply_problem(exchange, done.error());
  }
  Task<Result<>> send_on(net::Exchange& exchange) {
    HS_CO_TRY(std::string body, co_await exchange.read_all(limits::kJsonBodyBytes));
    HS_CO_TRY(auto peers, co_await control_.app->serving(local_principal_.tenant, body));
    co_return co_await forwarder_->forward(exchange, std::move(body), std::move(peers));
  }

  const Principal local_principal_ = default_principal();
  Ground ground_;
  ControlSide control_;
  std::optional<forward::Forwarder> forwarder_;
  net::Router router_;
  std::unique_ptr<net::Server> api_;
  bool running_ = false;
};

}  // namespace

Result<std::unique_ptr<ControlServer>> start_control(const CommonSettings& common, const ControlSettings& control,
                                                     std::function<void(const ScalingEvent&)> on_scaling) {
  auto server = std::make_unique<SeparateControl>(common);
  HS_CHECK(server->start(common, control, std::move(on_scaling)));
  return server;
}

}  // namespace hotswap::cli
