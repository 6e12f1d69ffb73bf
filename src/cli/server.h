// The all-in-one server of `hotswap up`: control plane, one node and both front doors in one process. The only place
// that names concrete adapters and wires them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/limits.h"
#include "base/result.h"
#include "net/server.h"

namespace hotswap::cli {

// Every setting of a server, in one table; `hotswap up --help` shows the same.
struct ServerSettings {
  std::filesystem::path data = "hotswap-data";
  std::string store;  // empty = SQLite in the data folder
  std::string api = "127.0.0.1:8080";
  std::string gateway = "127.0.0.1:8081";
  std::size_t threads = 0;  // I/O threads; 0 = one for each processor that the process may use
  std::string node = "local";
  std::string region = "local";
  std::string environment = "development";
  bool wasi03 = false;
  std::uint32_t instances = limits::kPoolInstances;  // simultaneous core instances; each reserves address space
};

class LocalServer {
 public:
  // Returns when both ports answer and what was deployed before serves again.
  [[nodiscard]] static Result<std::unique_ptr<LocalServer>> start(const ServerSettings& settings);
  virtual ~LocalServer() = default;
  [[nodiscard]] virtual std::string api_url() const = 0;
  [[nodiscard]] virtual std::string gateway_url() const = 0;
  // Lets requests in flight end, reports the last counts, stops. Returns how many requests were cut.
  virtual std::size_t stop() = 0;
};

}  // namespace hotswap::cli
