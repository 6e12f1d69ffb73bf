#include "blobs/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace hotswap {

std::unexpected<Error> file_error(std::string_view doing, const std::string& path) {
  const int code = errno;
  const bool full = code == ENOSPC || code == EDQUOT || code == EMFILE || code == ENFILE;
  return fail(full ? ErrorKind::kUnavailable : ErrorKind::kInternal,
              fmt::format("cannot {} {}: {}", doing, path, std::generic_category().message(code)));
}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

Result<File> File::open(const std::string& path, int flags) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0640);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) return file_error("open", path);
  return File(descriptor, path);
}

Result<> File::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::size_t> File::read(std::span<std::byte> into) {
  while (true) {
    const ssize_t count = ::read(descriptor_, into.data(), into.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return file_error("read", path_);
  }
}

Result<> File::sync() {
  while (::fsync(descriptor_) != 0) {
    if (errno != EINTR) return file_error("sync", path_);
  }
  return {};
}

void File::close() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

Result<> sync_folder(const std::string& path) {
  HS_TRY(File folder, File::open(path, O_RDONLY | O_DIRECTORY));
  return folder.sync();
}

}  // namespace hotswap
