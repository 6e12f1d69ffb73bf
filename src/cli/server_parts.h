// What the servers are wired from. Members stand in the order of construction; each may use what stands above it.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <optional>
#include <vector>

#include "blobs/blobs.h"
#include "cli/server.h"
#include "control/app.h"
#include "net/router.h"
#include "node/app.h"
#include "sandbox/wasm/aside.h"
#include "sandbox/wasm/engine.h"
#include "sandbox/wasm/interfaces.h"
#include "store/store.h"

namespace hotswap::cli {

// The processors that this process may use, which a pinned or confined process has fewer of than the machine.
[[nodiscard]] std::size_t usable_processors();

// What every server has.
struct Ground {
  explicit Ground(const CommonSettings& settings);
  // Creates the data folder and the engine. `instances`: of its pool; `outbound_ca`: a file, or empty.
  [[nodiscard]] Result<> open(const CommonSettings& settings, std::uint32_t instances,
                              const std::filesystem::path& outbound_ca = {});

  template <class T>
  T on_first_thread(Task<T> task) {
    return asio::co_spawn(threads.at(0), std::move(task), asio::use_future).get();
  }
  [[nodiscard]] Result<std::unique_ptr<net::Server>> listen(const std::string& name, const std::string& address,
                                                            const net::Router& router);
  // Lets requests in flight end; returns how many were cut.
  std::size_t drain(std::vector<net::Server*> servers);
  // After the servers are gone: handlers that were cut unwind on their threads.
  void settle();

  SystemClock clock;
  SystemRandom random;
  Tracer tracer{clock, random};
  Metrics metrics;
  net::IoThreads threads;
  BlockingPool cpu;
  wasm::Aside aside;
  std::filesystem::path data;
  std::unique_ptr<wasm::Engine> engine;
};

class EngineInspector final : public control::Inspector {
 public:
  EngineInspector(const wasm::Engine& engine, EngineOffers offers) : engine_(engine), offers_(std::move(offers)) {}
  Result<ModuleDescription> describe(std::string_view bytes) override;
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

 private:
  const wasm::Engine& engine_;
  EngineOffers offers_;
};

// A control plane over its store and blobs.
struct ControlSide {
  [[nodiscard]] Result<> open(Ground& ground, const CommonSettings& common, const ControlSettings& settings,
                              std::function<void(const ScalingEvent&)> on_scaling = {});

  std::optional<BlockingPool> sql;
  std::optional<EngineInspector> inspector;
  std::unique_ptr<Store> store;
  std::unique_ptr<BlobStore> blobs;
  std::optional<control::App> app;
};

// What a node says about itself; `port` is its gateway's.
[[nodiscard]] Result<NodeDescription> describe_node(Ground& ground, const CommonSettings& common,
                                                    const NodeSettings& settings);
[[nodiscard]] Result<std::unique_ptr<node::App>> open_node(Ground& ground, NodeDescription description, bool keep,
                                                           node::ControlLink& link);

}  // namespace hotswap::cli
