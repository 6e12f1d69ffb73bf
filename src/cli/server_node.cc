// `hotswap node`: a node whose control plane is another process.
#include <atomic>

#include "cli/server_parts.h"
#include "model/principal.h"
#include "node/http_link.h"

namespace hotswap::cli {
namespace {

class NodeServer final : public RunningServer {
 public:
  explicit NodeServer(const CommonSettings& common) : ground_(common) {}

  Result<> start(const CommonSettings& common, const NodeSettings& settings, const Membership& membership) {
    HS_CHECK(ground_.open(common, settings.instances, settings.outbound_ca));
    HS_TRY(NodeDescription description, describe_node(ground_, common, settings));
    HS_TRY(link_, node::HttpLink::open(
                      ground_.threads.at(0).get_executor(),
                      {.control = membership.control, .join_token = membership.join_token, .data = ground_.data},
                      {.pool = ground_.cpu, .clock = ground_.clock}));
    router_.add("POST /api/v1/wasm/execute", serving([this](net::Exchange& exchange) {
                  return node_->gateway().execute(exchange, local_principal_);
                }));
    router_.set_fallback(serving([this](net::Exchange& exchange) { return node_->gateway().serve(exchange); }));
    // The node tells the control plane its port, which may be one that the system picks.
    HS_TRY(gateway_, ground_.listen("gateway", settings.gateway, router_));
    description.port = gateway_->endpoint().port();
    const bool kept = std::filesystem::exists(ground_.data / "desired-state.json");
    HS_TRY(node_, open_node(ground_, std::move(description), true, *link_));
    node_->start();
    running_ = true;
    if (kept) ground_.on_first_thread(node_->serving());
    serves_.store(true, std::memory_order_release);
    return {};
  }

  ~NodeServer() override {
    stop();
    ground_.threads.stop();
  }

  [[nodiscard]] std::string api_url() const override { return {}; }
  [[nodiscard]] std::string gateway_url() const override { return gateway_->url(); }

  std::size_t stop() override {
    if (running_) ground_.on_first_thread(node_->leave());
    const std::size_t cut = ground_.drain({gateway_.get()});
    if (std::exchange(running_, false)) ground_.on_first_thread(node_->stop());
    gateway_.reset();
    ground_.settle();
    return cut;
  }

 private:
  // Until what was kept is ready, which takes a second or two, nothing is said to be absent.
  net::Handler serving(net::Handler handler) {
    return [this, handler = std::move(handler)](net::Exchange& exchange) -> Task<void> {
      if (serves_.load(std::memory_order_acquire)) return handler(exchange);
      return refuse(exchange);
    };
  }
  static Task<void> refuse(net::Exchange& exchange) {
    std::ignore = co_await net::reply_problem(
        exchange, Error{ErrorKind::kUnavailable, "the node has just been started and is not ready yet; try again", {}});
  }

  const Principal local_principal_ = default_principal();
  std::atomic<bool> serves_{false};
  Ground ground_;
  std::unique_ptr<node::HttpLink> link_;
  std::unique_ptr<node::App> node_;
  net::Router router_;
  std::unique_ptr<net::Server> gateway_;
  bool running_ = false;
};

}  // namespace

Result<std::unique_ptr<RunningServer>> start_node(const CommonSettings& common, const NodeSettings& node,
                                                  const Membership& membership) {
  auto server = std::make_unique<NodeServer>(common);
  HS_CHECK(server->start(common, node, membership));
  return server;
}

}  // namespace hotswap::cli
