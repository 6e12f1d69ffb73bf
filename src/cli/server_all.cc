// `hotswap up`: control plane and node in one process, which talk by direct calls.
#include "cli/server_parts.h"
#include "model/principal.h"

namespace hotswap::cli {
namespace {

// The node protocol as direct calls.
class LocalLink final : public node::ControlLink {
 public:
  LocalLink(control::App& control, const NodeDescription& node)
      : control_(control), node_(node.nodeId), region_(node.region), incarnation_(node.incarnation) {}
  Task<Result<>> introduce(NodeDescription node) override { return control_.introduce(std::move(node)); }
  Task<Result<DesiredState>> desired_state(std::int64_t after) override {
    return control_.desired_state(node_, after, region_, incarnation_);
  }
  Task<Result<ReportReply>> report(NodeReport report) override { return control_.report(std::move(report)); }
  Task<Result<>> fetch(Digest digest, std::function<Result<>(std::span<const std::byte>)> sink) override {
    return control_.fetch(digest, std::move(sink));
  }
  Task<Result<>> count_invocations(std::vector<InvocationCount> counts) override {
    std::vector<Store::InvocationCount> rows;
    rows.reserve(counts.size());
    for (auto& count : counts) rows.push_back({std::move(count.tenant), std::move(count.moduleId), count.count});
    return control_.count_invocations(std::move(rows));
  }

 private:
  control::App& control_;
  NodeId node_;
  Region region_;
  std::string incarnation_;
};

class AllInOne final : public RunningServer {
 public:
  explicit AllInOne(const CommonSettings& common) : ground_(common) {}

  Result<> start(const CommonSettings& common, const ControlSettings& control, const NodeSettings& node) {
    HS_CHECK(ground_.open(common, node.instances, node.outbound_ca));
    HS_CHECK(control_.open(ground_, common, control));
    HS_TRY(NodeDescription description, describe_node(ground_, common, node));
    // A port that the system picks is known only when the gateway listens, and then what was deployed must serve.
    description.port = std::max(description.port, 1);
    link_.emplace(*control_.app, description);
    HS_TRY(node_, open_node(ground_, description, false, *link_));
    const auto execute = [this](net::Exchange& exchange) {
      return node_->gateway().execute(exchange, local_principal_);
    };
    control_.app->mount(api_router_);
    api_router_.add("POST /api/v1/wasm/execute", execute);
    gateway_router_.add("POST /api/v1/wasm/execute", execute);
    gateway_router_.set_fallback([this](net::Exchange& exchange) { return node_->gateway().serve(exchange); });

    HS_CHECK(ground_.on_first_thread(control_.app->start()));
    node_->start();
    running_ = true;
    ground_.on_first_thread(node_->serving());
    HS_TRY(gateway_, ground_.listen("gateway", node.gateway, gateway_router_));
    description.port = gateway_->endpoint().port();
    HS_CHECK(ground_.on_first_thread(control_.app->introduce(std::move(description))));
    HS_TRY(api_, ground_.listen("api", control.api, api_router_));
    return {};
  }

  // A server that failed to start is stopped here, as far as it came.
  ~AllInOne() override {
    stop();
    ground_.threads.stop();
  }

  [[nodiscard]] std::string api_url() const override { return api_->url(); }
  [[nodiscard]] std::string gateway_url() const override { return gateway_->url(); }

  std::size_t stop() override {
    const std::size_t cut = ground_.drain({gateway_.get(), api_.get()});
    if (std::exchange(running_, false)) {
      ground_.on_first_thread(node_->stop());
      ground_.on_first_thread(control_.app->stop());
    }
    gateway_.reset();
    api_.reset();
    ground_.settle();
    return cut;
  }

 private:
  const Principal local_principal_ = default_principal();
  Ground ground_;
  ControlSide control_;
  std::optional<LocalLink> link_;
  std::unique_ptr<node::App> node_;
  net::Router api_router_;
  net::Router gateway_router_;
  std::unique_ptr<net::Server> gateway_;
  std::unique_ptr<net::Server> api_;
  bool running_ = false;  // node and control, until stop()
};

}  // namespace

Result<std::unique_ptr<RunningServer>> start_all(const CommonSettings& common, const ControlSettings& control,
                                                 const NodeSettings& node) {
  auto server = std::make_unique<AllInOne>(common);
  HS_CHECK(server->start(common, control, node));
  return server;
}

}  // namespace hotswap::cli
