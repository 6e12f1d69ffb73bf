#include "victim.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>

#include "base/limits.h"

namespace hotswap::crash {
namespace {

// Few names, so that a name has many versions and routes are replaced.
std::string name_of(int number) { return "module" + std::to_string(number % 5); }

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().detail.c_str());
    std::_Exit(3);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

void acknowledge(char kind, int number) {
  const std::string line = kind + std::to_string(number) + '\n';
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(4);
}

Module register_module(const Storage& storage, int number) {
  const auto writer = must(storage.blobs->create(limits::kModuleBytes));
  const std::string content = binary(number);
  for (std::size_t at = 0; at < content.size(); at += 10'000) {
    must(writer->write(
        std::as_bytes(std::span(content).subspan(at, std::min<std::size_t>(10'000, content.size() - at)))));
  }
  const auto committed = must(writer->commit());
  Module module;
  module.name = name_of(number);
  module.version = {1, number, 0};
  module.moduleId = module_of(number);
  module.checksum = committed.digest;
  module.binaryPath = blob_key(committed.digest);
  module.sizeBytes = committed.size_bytes;
  must(storage.store->add_module(kTenant, module, 1'000'000));
  return module;
}

void deploy(const Storage& storage, const Module& module, int number) {
  Deployment deployment;
  deployment.deploymentId = deployment_of(number);
  deployment.moduleId = module.moduleId;
  deployment.moduleName = module.name;
  deployment.status = DeploymentStatus::Completed;
  DeploymentChange change{kTenant, deployment, 0, std::vector<Event>(kEventsPerDeployment), {}, {}};
  change.putRoutes = {{kTenant, module.name, Region("local"), {{module.moduleId, 100}}, default_binding(module.name)}};
  must(storage.store->apply(change));
}

}  // namespace

Storage open_storage(const std::string& folder) {
  return {must(open_store({"sqlite://" + folder + "/rows.db", 2})), must(open_folder_blobs(folder + "/blobs"))};
}

std::string binary(int number) {
  std::mt19937 engine(static_cast<unsigned>(number));
  std::string content(engine() % 100'000, '\0');
  for (char& c : content) c = static_cast<char>(engine() & 15u);
  return content + std::to_string(number);
}

ModuleId module_of(int number) { return module_id(name_of(number), {1, number, 0}); }

DeploymentId deployment_of(int number) { return DeploymentId("deployment-" + std::to_string(number)); }

void run_victim(const std::string& folder, int first_number) {
  const Storage storage = open_storage(folder);
  for (int number = first_number;; ++number) {
    const Module module = register_module(storage, number);
    acknowledge('M', number);
    deploy(storage, module, number);
    acknowledge('D', number);
  }
}

}  // namespace hotswap::crash
