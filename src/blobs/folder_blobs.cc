#include "blobs/folder_blobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/limits.h"
#include "blobs/brotli.h"
#include "blobs/file.h"
#include "blobs/folder_writer.h"

namespace hotswap {
namespace {

constexpr std::size_t kReadPiece = 64 * limits::kKiB;

std::unexpected<Error> corrupt(const Digest& digest, std::string_view why) {
  return fail(ErrorKind::kInternal,
              fmt::format("the stored content {} is damaged ({}); restore it from a backup or upload it again",
                          digest.hex(), why));
}

Result<> make_folder(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return fail(ErrorKind::kInternal, fmt::format("cannot make the folder {}: {}", path, code.message()));
  return {};
}

}  // namespace

std::string blob_key(const Digest& digest) {
  return fmt::format("sha256/{}/{}.br", digest.hex().substr(0, 2), digest.hex());
}

Result<std::unique_ptr<BlobStore>> open_folder_blobs(const std::string& folder) {
  auto blobs = std::make_unique<FolderBlobs>(folder);
  HS_CHECK(blobs->prepare());
  return blobs;
}

std::string FolderBlobs::path_of(const Digest& digest) const { return folder_ + '/' + blob_key(digest); }

Result<> FolderBlobs::prepare() {
  HS_CHECK(make_folder(folder_ + "/tmp"));
  HS_CHECK(make_folder(folder_ + "/sha256"));
  HS_CHECK(sync_folder(folder_));
  return remove_leftovers();
}

Result<> FolderBlobs::remove_leftovers() {
  std::error_code code;
  std::filesystem::directory_iterator entry(folder_ + "/tmp", code);
  for (; !code && entry != std::filesystem::directory_iterator(); entry.increment(code)) {
    if (!upload_in_progress(entry->path())) ::unlink(entry->path().c_str());
  }
  if (code) return fail(ErrorKind::kInternal, fmt::format("cannot list {}/tmp: {}", folder_, code.message()));
  return {};
}

Result<std::unique_ptr<BlobWriter>> FolderBlobs::create(std::uint64_t limit_bytes) {
  return FolderWriter::begin(folder_, limit_bytes);
}

Result<> FolderBlobs::read(const Digest& digest, const std::function<Result<>(std::span<const std::byte>)>& sink) {
  auto opened = File::open(path_of(digest), O_RDONLY);
  if (!opened) {
    HS_TRY(const bool there, contains(digest));
    if (!there) return fail(ErrorKind::kNotFound, fmt::format("there is no content {}", digest.hex()));
    return std::unexpected(std::move(opened).error());
  }
  File file = *std::move(opened);
  Sha256 hash;
  const ByteSink hashing = [&](std::span<const std::byte> piece) {
    hash.update(piece);
    return sink(piece);
  };
  BrotliDecompressor decompressor;
  std::vector<std::byte> buffer(kReadPiece);
  while (true) {
    HS_TRY(const std::size_t count, file.read(buffer));
    if (count == 0) break;
    HS_TRY(const bool sound, decompressor.write(std::span(buffer).first(count), hashing));
    if (!sound) return corrupt(digest, "it cannot be decompressed");
  }
  if (!decompressor.finished()) return corrupt(digest, "it ends too early");
  if (hash.finish() != digest) return corrupt(digest, "its SHA-256 differs");
  return {};
}

Result<std::string> FolderBlobs::get(const Digest& digest) {
  std::string content;
  HS_CHECK(read(digest, [&content](std::span<const std::byte> piece) -> Result<> {
    content.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }));
  return content;
}

Result<bool> FolderBlobs::contains(const Digest& digest) {
  if (::access(path_of(digest).c_str(), F_OK) == 0) return true;
  if (errno == ENOENT) return false;
  return file_error("look at", path_of(digest));
}

Result<> FolderBlobs::remove(const Digest& digest) {
  // Not synced: should the name come back after a power failure, it is content that nothing refers to, as before.
  if (::unlink(path_of(digest).c_str()) == 0 || errno == ENOENT) return {};
  return file_error("remove", path_of(digest));
}

Result<std::vector<Digest>> FolderBlobs::list() {
  std::vector<Digest> digests;
  std::error_code code;
  std::filesystem::recursive_directory_iterator entry(folder_ + "/sha256", code);
  for (; !code && entry != std::filesystem::recursive_directory_iterator(); entry.increment(code)) {
    if (entry->path().extension() != ".br") continue;
    if (auto digest = Digest::parse(entry->path().stem().string())) digests.push_back(*std::move(digest));
  }
  if (code) return fail(ErrorKind::kInternal, fmt::format("cannot list {}/sha256: {}", folder_, code.message()));
  return digests;
}

}  // namespace hotswap
