// Receiving a module upload in any of its three forms.
//
//   application/json      the fields of ModuleRegistration and `binary` in base64
//   multipart/form-data   `metadata` (the registration as JSON) or single fields, and the file as `file` or `binary`
//   application/wasm      the binary; the registration in the query
//
// Single fields and query parameters are named by their paths: name, version, description, limits.maxMemoryMB,
// limits.allowedHosts (repeated for each), limits.environmentVariables.KEY, metadata.KEY,
// allowedRegions and claims (repeated for each).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/blocking_pool.h"
#include "blobs/blobs.h"
#include "model/module.h"
#include "net/http.h"

namespace hotswap::control {

// Where the binary goes: once in memory, for validation, and piece by piece to the blob store. Belongs to one
// coroutine.
class BinarySink {
 public:
  static Task<Result<BinarySink>> open(BlobStore& blobs, BlockingPool& pool);

  // For a decoder to append to; call accept() afterwards.
  [[nodiscard]] std::string& bytes() noexcept { return bytes_; }
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  // Takes up what was appended. kTooLarge beyond limits::kModuleBytes.
  Task<Result<>> accept();
  // Everything is in the writer when this returns; commit it to keep it.
  Task<Result<>> flush();
  [[nodiscard]] BlobWriter& writer() noexcept { return *writer_; }

 private:
  BinarySink(BlockingPool& pool, std::unique_ptr<BlobWriter> writer) : pool_(&pool), writer_(std::move(writer)) {}

  BlockingPool* pool_;
  std::unique_ptr<BlobWriter> writer_;
  std::string bytes_;
  std::size_t written_ = 0;
};

struct ReceivedUpload {
  ModuleRegistration registration;
  std::vector<FieldError> errors;  // of its form; rules are not checked yet
};

// Reads the whole body. An error is one that leaves nothing to validate: of the connection, of the syntax, of a size.
Task<Result<ReceivedUpload>> receive_upload(net::Exchange& exchange, BinarySink& sink);

using Fields = std::vector<std::pair<std::string, std::string>>;
// A registration from single fields.
[[nodiscard]] ReceivedUpload registration_from_fields(const Fields& fields);

}  // namespace hotswap::control
