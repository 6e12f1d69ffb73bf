// BlobStore in a folder:
//
//   sha256/ab/abcdef….br   the content, compressed; complete and synced from the moment that the name exists
//   tmp/<pid>-<n>          uploads in progress, each locked (flock) by its writer, so that a leftover can be told from
//                          the upload of another process
#pragma once

#include "blobs/blobs.h"

namespace hotswap {

class FolderBlobs final : public BlobStore {
 public:
  explicit FolderBlobs(std::string folder) : folder_(std::move(folder)) {}
  // Makes the folders, and removes what interrupted uploads left.
  [[nodiscard]] Result<> prepare();

  Result<std::unique_ptr<BlobWriter>> create(std::uint64_t limit_bytes) override;
  Result<> read(const Digest& digest, const std::function<Result<>(std::span<const std::byte>)>& sink) override;
  Result<std::string> get(const Digest& digest) override;
  Result<bool> contains(const Digest& digest) override;
  Result<> remove(const Digest& digest) override;
  Result<std::vector<Digest>> list() override;

 private:
  [[nodiscard]] std::string path_of(const Digest& digest) const;
  Result<> remove_leftovers();

  const std::string folder_;
};

}  // namespace hotswap
