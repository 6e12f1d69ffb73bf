// The data plane of one process, wired.
#pragma once

#include <boost/asio/cancellation_signal.hpp>

#include <filesystem>
#include <memory>

#include "node/agent.h"
#include "node/gateway.h"
#include "node/wasm_loader.h"

namespace hotswap::node {

struct Options {
  NodeDescription node;
  std::string forward_key{};   // what peers show when they send a request on to this node
  std::filesystem::path data;  // code cache, module files and, where wanted, what was served last live below
  bool keep = false;           // serve what was served last before the control plane says what to serve
  wasm::SandboxPolicy policy;
};

struct Parts {
  net::IoThreads& threads;
  const wasm::Engine& engine;
  ControlLink& control;
  BlockingPool& cpu;
  wasm::Aside& aside;
  const Clock& clock;
  Random& random;
  Tracer& tracer;
  Metrics& metrics;
};

class App {
 public:
  [[nodiscard]] static Result<std::unique_ptr<App>> create(Options options, Parts parts);

  [[nodiscard]] Gateway& gateway() noexcept { return gateway_; }
  // Runs the agent on the first I/O thread.
  void start();
  // Completes when what was deployed before this process started serves again. Awaited on the first I/O thread.
  Task<void> serving() { return agent_.until_settled(); }
  // Before the gateway stops: completes when nobody sends requests on to this node any more, or after limits::kLeave.
  Task<void> leave();
  // Ends the agent: its last counts are reported. Await it before the I/O threads stop.
  Task<void> stop();

 private:
  App(Options options, Parts parts, wasm::CodeCache cache);

  Parts parts_;
  WasmLoader loader_;
  Snapshot snapshot_;
  Shadows shadows_;
  std::optional<forward::Forwarder> forwarder_;
  Gateway gateway_;
  Agent agent_;
  asio::cancellation_signal cancel_;
  asio::steady_timer stopped_;  // cancelled when the agent has ended
  bool running_ = false;
};

}  // namespace hotswap::node
