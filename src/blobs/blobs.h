// Artifacts by digest. The same bytes are stored once, compressed with Brotli, verified at every read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace hotswap {

// An upload in progress: bytes are hashed, compressed and written as they come, so that memory does not grow with the
// size. Destroyed without commit, it leaves nothing. Blocking; one thread at a time.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  // kTooLarge once more than the limit given at creation has come.
  virtual Result<> write(std::span<const std::byte> bytes) = 0;
  struct Committed {
    Digest digest;
    std::uint64_t size_bytes = 0;    // of the content
    std::uint64_t stored_bytes = 0;  // at rest
    bool existed = false;
  };
  // Durable when this returns: written, synced, renamed.
  virtual Result<Committed> commit() = 0;
};

// Blocking; thread-safe.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual Result<std::unique_ptr<BlobWriter>> create(std::uint64_t limit_bytes) = 0;
  // Hands the content to `sink` in pieces, decompressed. The digest is checked: kInternal after the last piece where it
  // differs (a corrupt file), so a caller must not use the content before this returned success. kNotFound where
  // absent.
  virtual Result<> read(const Digest& digest, const std::function<Result<>(std::span<const std::byte>)>& sink) = 0;
  // The whole content, verified.
  virtual Result<std::string> get(const Digest& digest) = 0;
  virtual Result<bool> contains(const Digest& digest) = 0;
  // Absent is success.
  virtual Result<> remove(const Digest& digest) = 0;
  virtual Result<std::vector<Digest>> list() = 0;
};

// "sha256/ab/abcdef….br": the key below the store's root, and Module::binaryPath.
[[nodiscard]] std::string blob_key(const Digest& digest);

// A folder. Leftovers of interrupted uploads are removed when it is opened.
[[nodiscard]] Result<std::unique_ptr<BlobStore>> open_folder_blobs(const std::string& folder);

}  // namespace hotswap
