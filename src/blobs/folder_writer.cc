#include "blobs/folder_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

namespace hotswap {
namespace {

constexpr int kAttempts = 1000;

// A new file that no other writer has. A file of the same name may be left of an earlier process with the same id.
Result<File> open_temporary(const std::string& folder) {
  static std::atomic<std::uint64_t> next{0};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::string path = fmt::format("{}/tmp/{}-{}", folder, getpid(), next++);
    const int descriptor = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);
    if (descriptor < 0 && (errno == EEXIST || errno == EINTR)) continue;
    if (descriptor < 0) return file_error("create", path);
    File file(descriptor, path);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) continue;
    // A process that opens the store may have taken it for a leftover before it was locked.
    struct stat facts{};
    if (fstat(descriptor, &facts) == 0 && facts.st_nlink > 0) return file;
  }
  return fail(ErrorKind::kInternal, fmt::format("no free name for an upload in {}/tmp", folder));
}

}  // namespace

bool upload_in_progress(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const File file(descriptor, path);
  return flock(descriptor, LOCK_EX | LOCK_NB) != 0;
}

Result<std::unique_ptr<BlobWriter>> FolderWriter::begin(const std::string& folder, std::uint64_t limit_bytes) {
  HS_TRY(File temporary, open_temporary(folder));
  return std::make_unique<FolderWriter>(folder, limit_bytes, std::move(temporary));
}

FolderWriter::FolderWriter(std::string folder, std::uint64_t limit_bytes, File temporary)
    : folder_(std::move(folder)), limit_bytes_(limit_bytes), temporary_(std::move(temporary)) {}

FolderWriter::~FolderWriter() {
  if (!named_) ::unlink(temporary_.path().c_str());
}

Result<> FolderWriter::store(std::span<const std::byte> compressed) {
  stored_bytes_ += compressed.size();
  return temporary_.write(compressed);
}

Result<> FolderWriter::write(std::span<const std::byte> bytes) {
  if (ended_) return fail(ErrorKind::kInternal, "the upload has ended");
  if (bytes.size() > limit_bytes_ - size_bytes_) {
    ended_ = true;
    return fail(ErrorKind::kTooLarge, fmt::format("the content is larger than the {} bytes allowed", limit_bytes_));
  }
  size_bytes_ += bytes.size();
  hash_.update(bytes);
  auto written = compressor_.write(bytes, [this](auto compressed) { return store(compressed); });
  ended_ = !written;
  return written;
}

Result<bool> FolderWriter::publish(const Digest& digest) {
  const std::string path = folder_ + '/' + blob_key(digest);
  const std::string parent = path.substr(0, path.rfind('/'));
  struct stat facts{};
  // The same content compresses to the same size. A file of another size is damaged, or of another Brotli release:
  // either way it may be replaced by this one.
  const bool existed = ::stat(path.c_str(), &facts) == 0 && static_cast<std::uint64_t>(facts.st_size) == stored_bytes_;
  if (!existed) {
    HS_CHECK(temporary_.sync());
    if (::mkdir(parent.c_str(), 0750) != 0 && errno != EEXIST) return file_error("make the folder", parent);
    if (::rename(temporary_.path().c_str(), path.c_str()) != 0) return file_error("name", path);
    named_ = true;
  }
  // Also where file or folder existed: who made them may not have come to this point yet.
  HS_CHECK(sync_folder(parent));
  HS_CHECK(sync_folder(folder_ + "/sha256"));
  return existed;
}

Result<BlobWriter::Committed> FolderWriter::commit() {
  if (ended_) return fail(ErrorKind::kInternal, "the upload has ended");
  ended_ = true;
  HS_CHECK(compressor_.finish([this](auto compressed) { return store(compressed); }));
  Committed committed{hash_.finish(), size_bytes_, stored_bytes_, false};
  HS_TRY(committed.existed, publish(committed.digest));
  return committed;
}

}  // namespace hotswap
