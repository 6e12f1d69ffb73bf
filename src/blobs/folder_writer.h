// One upload into a folder store.
#pragma once

#include "blobs/blobs.h"
#include "blobs/brotli.h"
#include "blobs/file.h"

namespace hotswap {

class FolderWriter final : public BlobWriter {
 public:
  // Opens and locks a new file in <folder>/tmp.
  [[nodiscard]] static Result<std::unique_ptr<BlobWriter>> begin(const std::string& folder, std::uint64_t limit_bytes);
  FolderWriter(std::string folder, std::uint64_t limit_bytes, File temporary);
  ~FolderWriter() override;
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;

  Result<> write(std::span<const std::byte> bytes) override;
  Result<Committed> commit() override;

 private:
  Result<> store(std::span<const std::byte> compressed);
  // Gives the finished file its name, or finds that it has been there before (true).
  Result<bool> publish(const Digest& digest);

  const std::string folder_;
  const std::uint64_t limit_bytes_;
  File temporary_;
  bool ended_ = false;  // committed or failed: nothing more is accepted
  bool named_ = false;  // the temporary name is gone
  Sha256 hash_;
  BrotliCompressor compressor_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t stored_bytes_ = 0;
};

// Whether an upload still holds this file of <folder>/tmp.
[[nodiscard]] bool upload_in_progress(const std::string& path);

}  // namespace hotswap
