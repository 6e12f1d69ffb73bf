// The process that is killed: registers and deploys modules until it dies, and says what was acknowledged.
#pragma once

#include <memory>
#include <string>

#include "blobs/blobs.h"
#include "model/module.h"
#include "store/store.h"

namespace hotswap::crash {

inline const TenantId kTenant{"default"};
inline constexpr std::size_t kEventsPerDeployment = 2;

struct Storage {
  std::unique_ptr<Store> store;
  std::unique_ptr<BlobStore> blobs;
};
[[nodiscard]] Storage open_storage(const std::string& folder);

// The bytes, the module and the deployment of a number, the same in every process.
[[nodiscard]] std::string binary(int number);
[[nodiscard]] ModuleId module_of(int number);
[[nodiscard]] DeploymentId deployment_of(int number);

// Never returns. Writes "M<number>\n" to standard output after a module's registration was acknowledged, and
// "D<number>\n" after its deployment's was.
[[noreturn]] void run_victim(const std::string& folder, int first_number);

}  // namespace hotswap::crash
