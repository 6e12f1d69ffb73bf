// Registering modules and removing what they leave behind.
#pragma once

#include <functional>
#include <shared_mutex>
#include <string>

#include "base/blocking_pool.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "blobs/blobs.h"
#include "control/inspector.h"
#include "control/interfaces.h"
#include "control/settings.h"
#include "control/upload.h"
#include "model/principal.h"
#include "store/store.h"

namespace hotswap::control {

// May be called from any thread.
class Registry {
 public:
  struct Parts {
    Store& store;
    BlobStore& blobs;
    Inspector& inspector;
    Interfaces& interfaces;
    BlockingPool& pool;
    BlockingPool& cpu;
    const Clock& clock;
    Tracer& tracer;
    Metrics& metrics;
  };
  Registry(const Options& options, Parts parts);

  // Validates and stores an upload. kInvalid with every broken rule; kUnprocessable with every import that is not
  // offered; kConflict for other bytes under a registered id.
  Task<Result<AddedModule>> add(Principal principal, ReceivedUpload upload, BinarySink& sink, TraceContext trace);
  Task<Result<Module>> remove(Principal principal, ModuleId id, TraceContext trace);

  // At start: removes binaries that no module has (left by a crash), and counts the modules.
  Task<Result<>> recover();

 private:
  Task<Result<Module>> validate_upload(const Principal& principal, const ReceivedUpload& upload,
                                       const std::string& bytes, const TraceContext& trace);
  // Blocking.
  Result<AddedModule> keep(const TenantId& tenant, Module module, BlobWriter& writer);
  Result<> check_room(const TenantId& tenant, const Module& module);
  void remove_if_unused(const Digest& digest);

  const Options& options_;
  Parts parts_;
  // Shared from a binary's commit to its row; exclusive from the question whether rows have a binary to its removal.
  std::shared_mutex binaries_;
  Counter& registered_;
  Gauge& count_;
  Histogram& sizes_;
};

}  // namespace hotswap::control
