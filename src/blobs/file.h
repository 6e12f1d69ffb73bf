// POSIX files with owners. Every failure is an Error that names the path and the reason.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace hotswap {

// An open file descriptor.
class File {
 public:
  File() = default;
  File(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~File() { close(); }
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}
  File& operator=(File&& other) noexcept;

  // `flags` as for open(2); close-on-exec is added.
  [[nodiscard]] static Result<File> open(const std::string& path, int flags);
  [[nodiscard]] Result<> write(std::span<const std::byte> bytes);
  // 0 at the end.
  [[nodiscard]] Result<std::size_t> read(std::span<std::byte> into);
  // On disk when this returns; for folders too.
  [[nodiscard]] Result<> sync();
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  void close() noexcept;

 private:
  int descriptor_ = -1;
  std::string path_;
};

// The calling thread's errno as an Error: kUnavailable where the disk is full, kInternal otherwise.
[[nodiscard]] std::unexpected<Error> file_error(std::string_view doing, const std::string& path);

[[nodiscard]] Result<> sync_folder(const std::string& path);

}  // namespace hotswap
